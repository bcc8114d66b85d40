// SPDX-License-Identifier: Apache-2.0
// Two threads, each with large>=2M of its own beside its own policy: which pages lie where, before
// and after each of the policies is rewritten, across the threshold, and after frees by the other
// thread.
#include "placement.h"

namespace mpol::test {

using ThreadsLargePlacement = FourNodes;

namespace {

constexpr size_t kMiB = size_t{1} << 20;

struct TwoThreads : Placed {
    unsigned one = start_thread(0);
    unsigned other = start_thread(0);
    control::Target target = attach();

    TwoThreads() {
        set_one(target, bind_to({0}), one);
        set_one(target, bind_to({1}), other);
        set_large(target, 2 * kMiB, bind_to({3}), one);
        set_large(target, 2 * kMiB, bind_to({2}), other);
    }
    // Where a block lies that may have had its pages before.
    Nodes place(unsigned thread, size_t size) {
        const uint64_t block = allocate(thread, size);
        touch(thread, block, size);
        return nodes(block, size);
    }
    void expect(unsigned thread, unsigned small, unsigned large) {
        EXPECT_TRUE(only_on(place(thread, kMiB), NodeMask::of(small)));
        EXPECT_TRUE(only_on(place(thread, 2 * kMiB - 1), NodeMask::of(small)));
        EXPECT_TRUE(only_on(fault_small(thread, kSmallObjects), NodeMask::of(small)));
        EXPECT_TRUE(only_on(place(thread, 2 * kMiB), NodeMask::of(large)));
        const uint64_t zeroed = allocate_zeroed(thread, 4 * kMiB);
        EXPECT_TRUE(only_on(fault(thread, zeroed, 4 * kMiB), NodeMask::of(large)));
    }
};

}  // namespace

TEST_F(ThreadsLargePlacement, DiffersFromTheRestThreadByThread) {
    TwoThreads bench;
    bench.set_all(bench.target, bind_to({0}));
    bench.set_kind(bench.target, {MPOL_CTL_KIND_LARGE, 4 * kMiB}, bind_to({1}));
    bench.expect(bench.one, 0, 3);
    bench.expect(bench.other, 1, 2);
    EXPECT_TRUE(only_on(bench.fault_new(0, 2 * kMiB), NodeMask::of(0)));
    EXPECT_TRUE(only_on(bench.fault_new(0, 4 * kMiB), NodeMask::of(1)));
}

TEST_F(ThreadsLargePlacement, IsRewrittenByItself) {
    TwoThreads bench;
    const uint64_t large = bench.allocate(bench.one, 8 * kMiB);
    bench.set_large(bench.target, 2 * kMiB, bind_to({1}), bench.one);
    EXPECT_TRUE(only_on(bench.fault(bench.one, large, 4 * kMiB), NodeMask::of(1)));
    bench.expect(bench.one, 0, 1);
    bench.set_one(bench.target, bind_to({2}), bench.one);
    EXPECT_TRUE(only_on(bench.fault(bench.one, large + 4 * kMiB, 4 * kMiB), NodeMask::of(1)));
    bench.expect(bench.one, 2, 1);
    bench.set_large(bench.target, 0, std::nullopt, bench.one);
    EXPECT_TRUE(only_on(bench.fault_new(bench.one, 8 * kMiB), NodeMask::of(2)));
    bench.expect(bench.other, 1, 2);
}

TEST_F(ThreadsLargePlacement, HoldsForBlocksThatCrossTheThreshold) {
    TwoThreads bench;
    uint64_t block = bench.allocate(bench.one, kMiB);
    EXPECT_TRUE(only_on(bench.fault(bench.one, block, kMiB), NodeMask::of(0)));
    block = bench.run(bench.one, "realloc", block, 6 * kMiB);
    bench.touch(bench.one, block, 6 * kMiB);
    EXPECT_TRUE(only_on(bench.nodes(block, 6 * kMiB), NodeMask::of(3)));
    block = bench.run(bench.one, "realloc", block, kMiB);
    EXPECT_TRUE(only_on(bench.nodes(block, kMiB), NodeMask::of(0)));
}

TEST_F(ThreadsLargePlacement, IsServedToNoOtherThread) {
    TwoThreads bench;
    for (int i = 0; i < 4; ++i) {
        const uint64_t block = bench.allocate(bench.one, 4 * kMiB);
        bench.touch(bench.one, block, 4 * kMiB);
        EXPECT_TRUE(only_on(bench.nodes(block, 4 * kMiB), NodeMask::of(3)));
        bench.release(bench.other, block);
        bench.expect(bench.other, 1, 2);
        bench.expect(bench.one, 0, 3);
    }
}

}  // namespace mpol::test

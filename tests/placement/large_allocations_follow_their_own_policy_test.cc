// SPDX-License-Identifier: Apache-2.0
// large>=2M:bind:3 beside bind:0 for the rest: which pages lie where, before and after each is
// rewritten, when a block crosses the threshold, and when the policy is taken back.
#include "placement.h"

namespace mpol::test {

using LargePlacement = FourNodes;

namespace {

constexpr size_t kMiB = size_t{1} << 20;
constexpr control::KindName kLargeFrom2MiB{MPOL_CTL_KIND_LARGE, 2 * kMiB};

}  // namespace

TEST_F(LargePlacement, DiffersFromTheRest) {
    Placed bench;
    const unsigned worker = bench.start_thread(0);
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({0}), {0, worker});
    bench.set_kind(target, kLargeFrom2MiB, bind_to({3}));
    for (const unsigned thread : {0U, worker}) {
        EXPECT_TRUE(only_on(bench.fault_new(thread, kMiB), NodeMask::of(0)));
        EXPECT_TRUE(only_on(bench.fault_new(thread, 2 * kMiB - 1), NodeMask::of(0)));
        EXPECT_TRUE(only_on(bench.fault_new(thread, 2 * kMiB), NodeMask::of(3)));
        EXPECT_TRUE(only_on(bench.fault_new(thread, 4 * kMiB), NodeMask::of(3)));
        EXPECT_TRUE(only_on(bench.fault_small(thread, kSmallObjects), NodeMask::of(0)));
        const uint64_t zeroed = bench.allocate_zeroed(thread, 4 * kMiB);
        EXPECT_TRUE(only_on(bench.fault(thread, zeroed, 4 * kMiB), NodeMask::of(3)));
    }
}

TEST_F(LargePlacement, IsRewrittenByItself) {
    Placed bench;
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({0}));
    bench.set_kind(target, kLargeFrom2MiB, bind_to({3}));
    const uint64_t large = bench.allocate(0, 8 * kMiB);
    const uint64_t medium = bench.allocate(0, kMiB);
    bench.set_kind(target, kLargeFrom2MiB, bind_to({2}));
    EXPECT_TRUE(only_on(bench.fault(0, large, 4 * kMiB), NodeMask::of(2))) << "not yet touched";
    EXPECT_TRUE(only_on(bench.fault(0, medium, kMiB), NodeMask::of(0)));
    bench.set_all(target, bind_to({1}));
    EXPECT_TRUE(only_on(bench.fault(0, large + 4 * kMiB, 4 * kMiB), NodeMask::of(2)));
    EXPECT_TRUE(only_on(bench.fault_new(0, 4 * kMiB), NodeMask::of(2)));
    EXPECT_TRUE(only_on(bench.fault_new(0, kMiB), NodeMask::of(1)));
}

TEST_F(LargePlacement, HoldsForBlocksThatCrossTheThreshold) {
    Placed bench;
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({0}));
    bench.set_kind(target, kLargeFrom2MiB, bind_to({3}));
    uint64_t block = bench.allocate(0, kMiB);
    EXPECT_TRUE(only_on(bench.fault(0, block, kMiB), NodeMask::of(0)));
    block = bench.run(0, "realloc", block, 4 * kMiB);
    EXPECT_TRUE(only_on(bench.nodes(block, kMiB), NodeMask::of(3)));
    EXPECT_TRUE(only_on(bench.fault(0, block, 4 * kMiB), NodeMask::of(3)));
    block = bench.run(0, "realloc", block, 6 * kMiB);
    bench.touch(0, block, 6 * kMiB);
    EXPECT_TRUE(only_on(bench.nodes(block, 6 * kMiB), NodeMask::of(3)));
    block = bench.run(0, "realloc", block, kMiB);
    EXPECT_TRUE(only_on(bench.nodes(block, kMiB), NodeMask::of(0)));
}

TEST_F(LargePlacement, FollowsTheProcessOnceTakenBack) {
    Placed bench;
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({0}));
    bench.set_kind(target, kLargeFrom2MiB, bind_to({3}));
    const uint64_t large = bench.allocate(0, 8 * kMiB);
    bench.set_kind(target, kLargeFrom2MiB, std::nullopt);
    EXPECT_TRUE(only_on(bench.fault(0, large, 4 * kMiB), NodeMask::of(0)));
    EXPECT_TRUE(only_on(bench.fault_new(0, 4 * kMiB), NodeMask::of(0)));
    bench.set_all(target, bind_to({1}));
    EXPECT_TRUE(only_on(bench.fault(0, large + 4 * kMiB, 4 * kMiB), NodeMask::of(1)));
    bench.set_kind(target, {MPOL_CTL_KIND_LARGE, 16 * kMiB}, bind_to({2}));
    EXPECT_TRUE(only_on(bench.fault_new(0, 8 * kMiB), NodeMask::of(1))) << "another threshold";
    EXPECT_TRUE(only_on(bench.fault_new(0, 16 * kMiB), NodeMask::of(2)));
}

TEST_F(LargePlacement, LeavesThreadsWithTheirOwnPolicyAlone) {
    Placed bench;
    const unsigned worker = bench.start_thread(0);
    control::Target target = bench.attach();
    bench.set_kind(target, kLargeFrom2MiB, bind_to({3}));
    bench.set_one(target, bind_to({1}), worker);
    EXPECT_TRUE(only_on(bench.fault_new(worker, 4 * kMiB), NodeMask::of(1)));
    EXPECT_TRUE(only_on(bench.fault_new(0, 4 * kMiB), NodeMask::of(3)));
    // Freed by the other one, it never serves that one.
    const uint64_t foreign = bench.allocate(0, 4 * kMiB);
    bench.touch(0, foreign, 4 * kMiB);
    bench.release(worker, foreign);
    EXPECT_TRUE(only_on(bench.fault_new(worker, 4 * kMiB), NodeMask::of(1)));
    EXPECT_TRUE(only_on(bench.fault_small(worker, kSmallObjects), NodeMask::of(1)));
    bench.set_one(target, std::nullopt, worker);
    const uint64_t again = bench.allocate(worker, 4 * kMiB);
    bench.touch(worker, again, 4 * kMiB);
    EXPECT_TRUE(only_on(bench.nodes(again, 4 * kMiB), NodeMask::of(3)));
}

}  // namespace mpol::test

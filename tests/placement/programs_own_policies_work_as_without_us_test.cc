// SPDX-License-Identifier: Apache-2.0
// As long as nobody sets a policy from outside, numactl and the program's own calls place pages
// exactly as they do without the preloaded library; after an unset they do so again.
#include <unistd.h>

#include "placement.h"

namespace mpol::test {
namespace {

// Each behaviour is asserted of the program alone first, so that the two are known to be equal.
class OwnPolicies : public FourNodes {
  protected:
    template <class Check>
    static void with_and_without_us(Check check) {
        for (const bool preload : {false, true}) {
            SCOPED_TRACE(preload ? "preloaded" : "alone");
            Options options;
            options.preload = preload;
            check(options);
        }
    }

    // libc's malloc itself writes to the pages that it hands out: nothing is left to be seen there.
    static void expect_small_on(Placed& bench, const Options& options, unsigned thread,
                                const NodeMask& mask) {
        if (!options.preload) return;
        const Nodes small = bench.fault_small(thread, kSmallObjects);
        EXPECT_TRUE(only_on(small, mask)) << small;
    }
};

constexpr const char* kNumactl = "/usr/bin/numactl";

}  // namespace

TEST_F(OwnPolicies, SetMempolicyGovernsTheHeap) {
    with_and_without_us([](const Options& options) {
        Placed bench(options);
        const unsigned worker = bench.start_thread(0);
        const uint64_t untouched = bench.allocate(worker, kLarge);
        ASSERT_EQ(bench.own_set_mempolicy(worker, make_policy(Mode::kInterleave, {1, 2})), 0);
        bench.fault(worker, untouched, kLarge);
        const uint64_t start = untouched + kPage - untouched % kPage;
        expect_interleaved(bench.order(start, kLarge - kPage), start, bind_to({1, 2}).nodes);
        expect_small_on(bench, options, worker, bind_to({1, 2}).nodes);
        const unsigned created = bench.start_thread(worker);
        EXPECT_TRUE(only_on(bench.fault_new(created, kLarge), bind_to({1, 2}).nodes));
    });
}

TEST_F(OwnPolicies, MbindGovernsItsRange) {
    with_and_without_us([](const Options& options) {
        Placed bench(options);
        const uint64_t block = bench.allocate(0, 2 * kLarge);
        const uint64_t start = (block + kPage - 1) & ~(kPage - 1);
        ASSERT_EQ(bench.own_mbind(start, kLarge, bind_to({3})), 0);
        bench.pin(0, 1);
        EXPECT_TRUE(only_on(bench.fault(0, start, kLarge), NodeMask::of(3)));
        EXPECT_TRUE(only_on(bench.fault(0, start + kLarge, kLarge / 2), NodeMask::of(1)));
    });
}

TEST_F(OwnPolicies, NumactlGovernsTheProgram) {
    if (::access(kNumactl, X_OK) != 0) GTEST_SKIP() << "numactl is not installed";
    with_and_without_us([](Options options) {
        options.program = kNumactl;
        options.arguments = {"--interleave=1,3", own_program(), "--subject", "workbench"};
        Placed bench(options);
        const uint64_t block = bench.allocate(0, kLarge);
        bench.fault(0, block, kLarge);
        const uint64_t start = block + kPage - block % kPage;
        expect_interleaved(bench.order(start, kLarge - kPage), start, bind_to({1, 3}).nodes);
        expect_small_on(bench, options, 0, bind_to({1, 3}).nodes);
    });
}

TEST_F(OwnPolicies, AreBackAfterUnset) {
    Placed bench;
    const unsigned worker = bench.start_thread(0);
    ASSERT_EQ(bench.own_set_mempolicy(worker, bind_to({1})), 0);
    EXPECT_TRUE(only_on(bench.fault_new(worker, kLarge), NodeMask::of(1)));
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({3}), {0, worker});
    EXPECT_TRUE(only_on(bench.fault_new(worker, kLarge), NodeMask::of(3)));
    EXPECT_TRUE(only_on(bench.fault_mapped(worker, kLarge), NodeMask::of(3)));
    bench.set_all(target, std::nullopt, {0, worker});
    EXPECT_TRUE(only_on(bench.fault_new(worker, kLarge), NodeMask::of(1)));
    EXPECT_TRUE(only_on(bench.fault_small(worker, kSmallObjects), NodeMask::of(1)));
    EXPECT_TRUE(only_on(bench.fault_mapped(worker, kLarge), NodeMask::of(1)));
    bench.pin(0, 2);
    EXPECT_TRUE(only_on(bench.fault_new(0, kLarge), NodeMask::of(2)));
}

TEST_F(OwnPolicies, AreBackAfterUnsetOfAThreadsPolicy) {
    Placed bench;
    const unsigned worker = bench.start_thread(0);
    ASSERT_EQ(bench.own_set_mempolicy(worker, bind_to({1})), 0);
    control::Target target = bench.attach();
    bench.set_one(target, bind_to({3}), worker);
    const uint64_t own = bench.allocate(worker, 2 * kLarge);
    EXPECT_TRUE(only_on(bench.fault(worker, own, kLarge), NodeMask::of(3)));
    bench.set_one(target, std::nullopt, worker);
    EXPECT_TRUE(only_on(bench.fault(worker, own + kLarge, kLarge), NodeMask::of(1)));
    EXPECT_TRUE(only_on(bench.fault_new(worker, kLarge), NodeMask::of(1)));
    EXPECT_TRUE(only_on(bench.fault_mapped(worker, kLarge), NodeMask::of(1)));
}

}  // namespace mpol::test

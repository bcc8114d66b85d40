// SPDX-License-Identifier: Apache-2.0
// A policy on one thread: what it allocates from then on, small and large; each later rewrite
// governs all of that not yet touched; its earlier memory and all other threads stay the process's.
#include "placement.h"

namespace mpol::test {

using ThreadPlacement = FourNodes;

TEST_F(ThreadPlacement, FollowsItsOwnPolicyAndNobodyElses) {
    Placed bench;
    const unsigned worker = bench.start_thread(0);
    const unsigned other = bench.start_thread(0);
    const uint64_t earlier = bench.allocate(worker, kLarge);
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({0}), {0, worker, other});
    bench.set_one(target, bind_to({3}), worker);

    const uint64_t own = bench.allocate(worker, 3 * kLarge);
    EXPECT_TRUE(only_on(bench.fault(worker, own, kLarge), NodeMask::of(3)));
    EXPECT_TRUE(only_on(bench.fault_small(worker, kSmallObjects), NodeMask::of(3)));
    EXPECT_TRUE(only_on(bench.fault(worker, earlier, kLarge), NodeMask::of(0)));
    for (const unsigned thread : {0U, other}) {
        EXPECT_TRUE(only_on(bench.fault_new(thread, kLarge), NodeMask::of(0)));
        EXPECT_TRUE(only_on(bench.fault_small(thread, kSmallObjects), NodeMask::of(0)));
    }

    bench.set_one(target, bind_to({2}), worker);
    EXPECT_TRUE(only_on(bench.fault(worker, own + kLarge, kLarge), NodeMask::of(2)));
    EXPECT_TRUE(only_on(bench.nodes(own, kLarge), NodeMask::of(3))) << "touched pages stay";
    EXPECT_TRUE(only_on(bench.fault_small(worker, kSmallObjects), NodeMask::of(2)));
    // Whoever touches it: the memory has the policy.
    EXPECT_TRUE(only_on(bench.fault(other, own + 2 * kLarge, kLarge), NodeMask::of(2)));

    bench.set_all(target, bind_to({1}), {0, worker, other});
    EXPECT_TRUE(only_on(bench.fault_new(worker, kLarge), NodeMask::of(2)));
    EXPECT_TRUE(only_on(bench.fault_new(other, kLarge), NodeMask::of(1)));

    bench.set_one(target, std::nullopt, worker);
    EXPECT_TRUE(only_on(bench.fault_new(worker, kLarge), NodeMask::of(1)));
    EXPECT_TRUE(only_on(bench.fault_small(worker, kSmallObjects), NodeMask::of(1)));
}

TEST_F(ThreadPlacement, IsCopiedByItsNewThreads) {
    Placed bench;
    const unsigned worker = bench.start_thread(0);
    control::Target target = bench.attach();
    bench.set_one(target, bind_to({3}), worker);
    const unsigned created = bench.start_thread(worker);
    EXPECT_TRUE(only_on(bench.fault_new(created, kLarge), NodeMask::of(3)));
    EXPECT_TRUE(only_on(bench.fault_small(created, kSmallObjects), NodeMask::of(3)));
    EXPECT_TRUE(only_on(bench.fault_mapped(created, kLarge), NodeMask::of(3)));
}

TEST_F(ThreadPlacement, HoldsAfterTakingInOthersMemory) {
    Placed bench;
    const unsigned worker = bench.start_thread(0);
    const unsigned other = bench.start_thread(0);
    control::Target target = bench.attach();
    bench.set_one(target, bind_to({3}), worker);
    bench.set_one(target, bind_to({1}), other);
    for (int round = 0; round < 50; ++round) {
        const uint64_t foreign = bench.allocate(other, 64);
        bench.touch(other, foreign, 1);
        bench.release(worker, foreign);
    }
    EXPECT_TRUE(only_on(bench.fault_small(worker, kSmallObjects), NodeMask::of(3)));
    bench.allocate_many(worker, kSmallObjects, 64);
    bench.touch_many(worker, 64);
    EXPECT_TRUE(only_on(bench.nodes_of_many(worker, 64), NodeMask::of(3)));
}

}  // namespace mpol::test

// SPDX-License-Identifier: Apache-2.0
// The kernel's own task policy governs stacks and direct mmaps. Only the thread itself can set it,
// and does so at its next allocator call.
#include "placement.h"

namespace mpol::test {

using TaskPolicy = FourNodes;

TEST_F(TaskPolicy, PlacesStackAndMappings) {
    Placed bench;
    const unsigned worker = bench.start_thread(0);
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({3}), {0, worker});
    EXPECT_TRUE(only_on(bench.fault_mapped(worker, kLarge), NodeMask::of(3)));
    EXPECT_TRUE(only_on(bench.fault_stack(worker, size_t{1} << 20), NodeMask::of(3)));
    EXPECT_TRUE(only_on(bench.fault_mapped(0, kLarge), NodeMask::of(3)));

    set_thread(target, bench.tid(worker), bind_to({2}));
    EXPECT_TRUE(only_on(bench.fault_mapped(worker, kLarge), NodeMask::of(3))) << "not yet";
    bench.call(worker);
    EXPECT_TRUE(only_on(bench.fault_mapped(worker, kLarge), NodeMask::of(2)));
    EXPECT_TRUE(only_on(bench.fault_stack(worker, size_t{3} << 20), NodeMask::of(2)));
    EXPECT_TRUE(only_on(bench.fault_mapped(0, kLarge), NodeMask::of(3)));
}

TEST_F(TaskPolicy, GoesWithForkAndExec) {
    Placed bench;
    control::Target target = bench.attach();
    const uint64_t untouched = bench.allocate(0, kLarge);
    bench.set_all(target, bind_to({3}), {0});
    bench.fork();
    EXPECT_TRUE(only_on(bench.fault(0, untouched, kLarge), NodeMask::of(3)));
    EXPECT_TRUE(only_on(bench.fault_new(0, kLarge), NodeMask::of(3)));
    EXPECT_TRUE(only_on(bench.fault_mapped(0, kLarge), NodeMask::of(3)));
    bench.leave();
    bench.spawn();
    EXPECT_TRUE(only_on(bench.fault_new(0, kLarge), NodeMask::of(3)));
    EXPECT_TRUE(only_on(bench.fault_small(0, kSmallObjects), NodeMask::of(3)));
    bench.leave();
    bench.execute();
    EXPECT_TRUE(only_on(bench.fault_new(0, kLarge), NodeMask::of(3)));
    EXPECT_TRUE(only_on(bench.fault_mapped(0, kLarge), NodeMask::of(3)));
}

}  // namespace mpol::test

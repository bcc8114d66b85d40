// SPDX-License-Identifier: Apache-2.0
// stack: and mmap: of one thread, beside the process's: the stacks of the threads that it creates
// and what it maps from then on, for its threads too, until taken back. What is there follows its
// own rewrites and not the process's.
#include "placement.h"

namespace mpol::test {

using ThreadsKindPlacement = FourNodes;

namespace {

constexpr control::KindName kStack{MPOL_CTL_KIND_STACK, 0};
constexpr control::KindName kMmap{MPOL_CTL_KIND_MMAP, 0};
constexpr size_t kDeep = size_t{256} << 10;

}  // namespace

TEST_F(ThreadsKindPlacement, MappingsAreThoseThatItMakesFromThenOn) {
    Placed bench;
    const unsigned worker = bench.start_thread(0);
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({0}), {0, worker});
    const uint64_t before = bench.map(worker, kLarge);
    bench.set_own_kind(target, kMmap, bind_to({2}), worker);
    EXPECT_TRUE(only_on(bench.fault_mapped(worker, kLarge), NodeMask::of(2)));
    EXPECT_TRUE(only_on(bench.fault(worker, before, kLarge), NodeMask::of(0))) << "there already";
    EXPECT_TRUE(only_on(bench.fault_new(worker, kLarge), NodeMask::of(0))) << "malloc";
    EXPECT_TRUE(only_on(bench.fault_mapped(0, kLarge), NodeMask::of(0))) << "another thread's";

    const unsigned next = bench.start_thread(worker);
    EXPECT_TRUE(only_on(bench.fault_mapped(next, kLarge), NodeMask::of(2))) << "a copy";
    bench.set_kind(target, kMmap, bind_to({3}));
    EXPECT_TRUE(only_on(bench.fault_mapped(0, kLarge), NodeMask::of(3)));
    EXPECT_TRUE(only_on(bench.fault_mapped(worker, kLarge), NodeMask::of(2)));
    bench.set_own_kind(target, kMmap, bind_to({1}), worker);
    EXPECT_TRUE(only_on(bench.fault_mapped(worker, kLarge), NodeMask::of(1)));
    bench.set_own_kind(target, kMmap, std::nullopt, worker);
    EXPECT_TRUE(only_on(bench.fault_mapped(worker, kLarge), NodeMask::of(3)));
    EXPECT_TRUE(only_on(bench.fault_mapped(next, kLarge), NodeMask::of(2)));
}

TEST_F(ThreadsKindPlacement, StacksAreThoseOfThreadsThatItCreates) {
    Placed bench;
    const unsigned worker = bench.start_thread(0);
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({0}), {0, worker});
    bench.set_own_kind(target, kStack, bind_to({3}), worker);
    const unsigned created = bench.start_thread(worker);
    EXPECT_TRUE(only_on(bench.fault_stack(created, kDeep), NodeMask::of(3)));
    EXPECT_TRUE(only_on(bench.fault_mapped(created, kLarge), NodeMask::of(0)));
    EXPECT_TRUE(only_on(bench.fault_new(created, kLarge), NodeMask::of(0)));
    EXPECT_TRUE(only_on(bench.fault_stack(worker, kDeep), NodeMask::of(0))) << "its own";
    const unsigned others = bench.start_thread(0);
    EXPECT_TRUE(only_on(bench.fault_stack(others, kDeep), NodeMask::of(0)));

    bench.end_thread(created);  // Its stack waits in the C library for the next thread.
    const unsigned reused = bench.start_thread(0);
    const Nodes deeper = bench.fault_stack(reused, 4 * kDeep);
    EXPECT_TRUE(only_on(deeper, NodeMask::of(0))) << deeper;
    bench.set_own_kind(target, kStack, std::nullopt, worker);
    EXPECT_TRUE(only_on(bench.fault_stack(bench.start_thread(worker), 4 * kDeep), NodeMask::of(0)));
}

TEST_F(ThreadsKindPlacement, MappingsThatAreThereFollowItsOwnRewritesOnly) {
    Placed bench;
    const unsigned worker = bench.start_thread(0);
    control::Target target = bench.attach();
    bench.set_own_kind(target, kMmap, bind_to({2}), worker);
    const uint64_t placed = bench.map(worker, 4 * kLarge);
    const uint64_t others = bench.map(0, kLarge);
    bench.set_kind(target, kMmap, bind_to({3}));
    EXPECT_TRUE(only_on(bench.fault(worker, placed, kLarge), NodeMask::of(2)));
    EXPECT_TRUE(only_on(bench.fault(0, others, kLarge), NodeMask::of(3)));
    bench.set_own_kind(target, kMmap, bind_to({1}), worker);
    EXPECT_TRUE(only_on(bench.fault(0, placed + kLarge, kLarge), NodeMask::of(1)));
    bench.set_kind(target, kMmap, std::nullopt);
    EXPECT_TRUE(only_on(bench.fault(0, placed + 2 * kLarge, kLarge), NodeMask::of(1)));
    bench.set_kind(target, kMmap, bind_to({0}));
    bench.set_own_kind(target, kMmap, std::nullopt, worker);
    EXPECT_TRUE(only_on(bench.fault(0, placed + 3 * kLarge, kLarge), NodeMask::of(0)));
}

TEST_F(ThreadsKindPlacement, StacksThatAreThereFollowTheirCreatorsRewritesOnly) {
    Placed bench;
    const unsigned worker = bench.start_thread(0);
    control::Target target = bench.attach();
    bench.set_own_kind(target, kStack, bind_to({3}), worker);
    const unsigned created = bench.start_thread(worker);
    bench.set_kind(target, kStack, bind_to({2}));
    bench.set_kind(target, kMmap, bind_to({2}));
    EXPECT_TRUE(only_on(bench.fault_stack(created, kDeep), NodeMask::of(3)));
    EXPECT_TRUE(only_on(bench.fault_stack(worker, kDeep), NodeMask::of(2))) << "the process's";
    bench.set_own_kind(target, kStack, bind_to({1}), worker);
    const Nodes deeper = bench.fault_stack(created, 4 * kDeep);
    EXPECT_TRUE(only_on(deeper, NodeMask::of(1))) << deeper;
}

}  // namespace mpol::test

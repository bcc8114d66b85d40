// SPDX-License-Identifier: Apache-2.0
// stack:bind:3 beside bind:0 for the process: stacks of threads started before and after, after a
// rewrite, and when it is taken back. The main thread's stack stays with the task policy.
#include "placement.h"

namespace mpol::test {

using StackPlacement = FourNodes;

namespace {

constexpr control::KindName kStack{MPOL_CTL_KIND_STACK, 0};
constexpr size_t kDeep = size_t{256} << 10;

}  // namespace

TEST_F(StackPlacement, DiffersFromTheRest) {
    Placed bench;
    const unsigned before = bench.start_thread(0);
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({0}), {0, before});
    bench.set_kind(target, kStack, bind_to({3}));
    EXPECT_TRUE(only_on(bench.fault_stack(before, kDeep), NodeMask::of(3))) << "there already";
    const unsigned after = bench.start_thread(0);
    EXPECT_TRUE(only_on(bench.fault_stack(after, kDeep), NodeMask::of(3)));
    EXPECT_TRUE(only_on(bench.fault_new(after, kLarge), NodeMask::of(0)));
    EXPECT_TRUE(only_on(bench.fault_mapped(after, kLarge), NodeMask::of(0)));
    EXPECT_TRUE(only_on(bench.fault_stack(0, kDeep), NodeMask::of(0))) << "the main thread's";
}

TEST_F(StackPlacement, IsRewrittenAndTakenBack) {
    Placed bench;
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({0}));
    bench.set_kind(target, kStack, bind_to({3}));
    const unsigned worker = bench.start_thread(0);
    bench.set_kind(target, kStack, bind_to({2}));
    EXPECT_TRUE(only_on(bench.fault_stack(worker, kDeep), NodeMask::of(2)));
    bench.end_thread(worker);  // Its stack waits in the C library for the next thread.
    bench.set_kind(target, kStack, std::nullopt);
    const unsigned next = bench.start_thread(0);
    const Nodes deeper = bench.fault_stack(next, 4 * kDeep);
    EXPECT_TRUE(only_on(deeper, NodeMask::of(0))) << deeper;
}

}  // namespace mpol::test

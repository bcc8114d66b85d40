// SPDX-License-Identifier: Apache-2.0
// Policies of kinds are copied by fork, as those of ranges are: in force in the child, shown in its
// own segment, and its own to rewrite.
#include <gtest/gtest.h>

#include "workbench.h"

namespace mpol::test {
namespace {

constexpr size_t kMiB = size_t{1} << 20;
constexpr control::KindName kLarge{MPOL_CTL_KIND_LARGE, 2 * kMiB};
constexpr control::KindName kMmap{MPOL_CTL_KIND_MMAP, 0};

}  // namespace

TEST(ForkedChild, KeepsKinds) {
    Workbench bench;
    control::Target parent = bench.attach();
    bench.set_kind(parent, kLarge, bind_to({0}));
    bench.set_kind(parent, kMmap, make_policy(Mode::kInterleave, {0}));
    const pid_t pid = bench.fork();
    EXPECT_EQ(policy_at(pid, bench.allocate(0, 4 * kMiB)), "bind:0");
    EXPECT_EQ(policy_at(pid, bench.map(0, kMiB)), "interleave:0");
    control::Target child = attach(pid);
    ASSERT_EQ(child.kinds().size(), 2U);
    const control::KindState large = child.kinds()[0];
    EXPECT_EQ(large.threshold, 2 * kMiB);
    EXPECT_TRUE(large.asked.set && large.asked.policy == bind_to({0}));
    EXPECT_EQ(large.applied, large.asked.generation);

    bench.set_kind(child, kLarge, make_policy(Mode::kPreferred, {0}));
    EXPECT_EQ(policy_at(pid, bench.allocate(0, 4 * kMiB)), "prefer:0");
    bench.set_kind(child, kMmap, std::nullopt);
    EXPECT_EQ(policy_at(pid, bench.map(0, kMiB)), "default");
    EXPECT_TRUE(parent.kinds()[0].asked.policy == bind_to({0}));
    bench.leave();
    EXPECT_EQ(policy_at(bench.pid(), bench.allocate(0, 4 * kMiB)), "bind:0");
    EXPECT_EQ(bench.finish(), 0);
}

TEST(ForkedChild, AppliesKindsThatWereNotAppliedYet) {
    Workbench bench;
    control::Target parent = bench.attach();
    ASSERT_TRUE(parent.publish_kind(kLarge, bind_to({0}), false, kWaitMs));
    const pid_t pid = bench.clone_raw();
    bench.call();
    EXPECT_EQ(policy_at(pid, bench.allocate(0, 4 * kMiB)), "bind:0");
    bench.leave();
    EXPECT_EQ(bench.finish(), 0);
}

TEST(ForkedChild, OfAWorkerKeepsKinds) {
    Workbench bench;
    const unsigned worker = bench.start_thread(0);
    control::Target parent = bench.attach();
    bench.set_kind(parent, {MPOL_CTL_KIND_STACK, 0}, bind_to({0}));
    const pid_t pid = bench.fork(worker);
    bench.call();
    control::Target child = attach(pid);
    ASSERT_EQ(child.kinds().size(), 1U);
    bench.set_kind(child, {MPOL_CTL_KIND_STACK, 0}, make_policy(Mode::kPreferred, {0}));
    bench.leave();
    EXPECT_EQ(bench.finish(), 0);
}

// The child's rewrites and the parent's are apart, of what was there before the fork, too.
TEST(ForkedChild, KeepsTheForkingThreadsOwnKinds) {
    constexpr control::KindName kStack{MPOL_CTL_KIND_STACK, 0};
    Workbench bench;
    const unsigned worker = bench.start_thread(0);
    control::Target parent = bench.attach();
    bench.set_own_kind(parent, kMmap, bind_to({0}), worker);
    bench.set_own_kind(parent, kStack, bind_to({0}), worker);
    const uint64_t placed = bench.map(worker, kMiB);
    bench.start_thread(worker);  // Its stack is the worker's own, and it is gone in the child.
    const control::ThreadSlot of_parent = parent.slot_of(bench.tid(worker)).value();
    const pid_t pid = bench.fork(worker);
    bench.call();
    control::Target child = attach(pid);
    const control::ThreadState state = child.thread(child.slot_of(pid).value()).value();
    for (const unsigned kind : {MPOL_CTL_KIND_MMAP, MPOL_CTL_KIND_STACK}) {
        ASSERT_TRUE(state.kinds[kind] && state.kinds[kind]->asked.set) << kind;
        EXPECT_TRUE(state.kinds[kind]->asked.policy == bind_to({0})) << kind;
    }
    EXPECT_EQ(policy_at(pid, bench.map(0, kMiB)), "bind:0");
    const uint64_t stack = bench.run(bench.start_thread(0), "stack_address");
    EXPECT_EQ(policy_at(pid, stack), "bind:0");

    bench.set_own_kind(child, kMmap, make_policy(Mode::kPreferred, {0}), 0);
    bench.set_own_kind(child, kStack, make_policy(Mode::kPreferred, {0}), 0);
    EXPECT_EQ(policy_at(pid, placed), "prefer:0");
    EXPECT_EQ(policy_at(pid, stack), "prefer:0");
    EXPECT_EQ(policy_at(bench.pid(), placed), "bind:0");
    bench.set_kind(child, kMmap, std::nullopt);
    bench.set_kind(child, kMmap, bind_to({0}));
    EXPECT_EQ(policy_at(pid, placed), "prefer:0");

    const auto rewritten =
        parent.publish_own_kind(of_parent, kMmap, make_policy(Mode::kInterleave, {0}), kWaitMs);
    ASSERT_TRUE(rewritten && parent.wait_own_kind(of_parent, kMmap.kind, *rewritten, kWaitMs));
    EXPECT_EQ(policy_at(bench.pid(), placed), "interleave:0");
    EXPECT_EQ(policy_at(pid, placed), "prefer:0");
    bench.leave();
    EXPECT_EQ(bench.finish(), 0);
}

// Rewritten in the parent and not acted on there before the fork.
TEST(ForkedChild, AppliesOwnKindsThatWereNotAppliedYet) {
    Workbench bench({.environment = {"MPOL_HELPER=0"}});
    control::Target parent = bench.attach();
    bench.set_own_kind(parent, kMmap, bind_to({0}), 0);
    const uint64_t placed = bench.map(0, kMiB);
    const control::ThreadSlot slot = parent.slot_of(bench.pid()).value();
    ASSERT_TRUE(parent.publish_own_kind(slot, kMmap, make_policy(Mode::kPreferred, {0}), kWaitMs));
    const pid_t pid = bench.clone_raw();
    bench.call();
    EXPECT_EQ(policy_at(pid, placed), "prefer:0");
    EXPECT_EQ(policy_at(bench.pid(), placed), "bind:0");
    bench.leave();
    EXPECT_EQ(bench.finish(), 0);
}

}  // namespace mpol::test

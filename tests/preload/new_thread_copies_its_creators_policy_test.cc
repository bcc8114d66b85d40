// SPDX-License-Identifier: Apache-2.0
// As in the kernel: a copy, at creation; neither is told of the other's later changes.
#include <gtest/gtest.h>

#include "workbench.h"

namespace mpol::test {
namespace {

control::ThreadState state_of(const control::Target& target, pid_t tid) {
    return target.thread(target.slot_of(tid).value()).value();
}

}  // namespace

TEST(NewThread, CopiesItsCreatorsOwnPolicy) {
    Workbench bench;
    const unsigned creator = bench.start_thread(0);
    const unsigned sibling = bench.start_thread(0);
    control::Target target = bench.attach();
    bench.set_one(target, bind_to({0}), creator);
    const unsigned created = bench.start_thread(creator);
    bench.call(sibling);

    const control::ThreadState state = state_of(target, bench.tid(created));
    EXPECT_TRUE(state.asked.set);
    EXPECT_EQ(state.asked.policy, bind_to({0}));
    EXPECT_EQ(task_policy(bench.pid(), bench.tid(created)), "bind:0");
    const uint64_t memory = bench.allocate(created, 1 << 20);
    EXPECT_EQ(policy_at(bench.pid(), memory), "bind:0");
    EXPECT_TRUE(in_regions(target, memory, state_of(target, bench.tid(created)).scope));
    EXPECT_NE(state_of(target, bench.tid(created)).scope,
              state_of(target, bench.tid(creator)).scope);

    EXPECT_FALSE(state_of(target, bench.tid(sibling)).asked.set);
    EXPECT_EQ(task_policy(bench.pid(), bench.tid(sibling)), "default");
    EXPECT_EQ(task_policy(bench.pid(), bench.tid(0)), "default");
    EXPECT_EQ(policy_at(bench.pid(), bench.allocate(sibling, 1 << 20)), "default");
}

TEST(NewThread, KeepsItsCopyWhenTheCreatorsIsRewritten) {
    Workbench bench;
    const unsigned creator = bench.start_thread(0);
    control::Target target = bench.attach();
    bench.set_one(target, bind_to({0}), creator);
    const unsigned created = bench.start_thread(creator);
    const uint64_t memory = bench.allocate(created, 1 << 20);
    bench.set_one(target, make_policy(Mode::kInterleave, {0}), creator);
    bench.call(created);
    EXPECT_EQ(policy_at(bench.pid(), memory), "bind:0");
    EXPECT_EQ(task_policy(bench.pid(), bench.tid(created)), "bind:0");
    EXPECT_EQ(task_policy(bench.pid(), bench.tid(creator)), "interleave:0");
}

TEST(NewThread, FollowsTheProcessWhenItsCreatorDoes) {
    Workbench bench;
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({0}));
    const unsigned created = bench.start_thread(0);
    EXPECT_FALSE(state_of(target, bench.tid(created)).asked.set);
    EXPECT_EQ(task_policy(bench.pid(), bench.tid(created)), "bind:0");
    bench.set_all(target, make_policy(Mode::kInterleave, {0}), {created});
    EXPECT_EQ(task_policy(bench.pid(), bench.tid(created)), "interleave:0");
    EXPECT_EQ(policy_at(bench.pid(), bench.allocate(created, 1 << 20)), "interleave:0");
}

}  // namespace mpol::test

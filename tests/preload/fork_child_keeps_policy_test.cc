// SPDX-License-Identifier: Apache-2.0
// As in the kernel, a fork copies the task's policy and the policies of ranges.
#include <gtest/gtest.h>

#include "workbench.h"

namespace mpol::test {

TEST(ForkChild, KeepsProcessPolicy) {
    Workbench bench;
    const uint64_t before = bench.allocate(0, 1 << 20);
    control::Target parent = bench.attach();
    bench.set_all(parent, bind_to({0}));

    const pid_t child_pid = bench.fork();
    EXPECT_EQ(policy_at(child_pid, before), "bind:0");
    EXPECT_EQ(task_policy(child_pid), "bind:0");
    const uint64_t after = bench.allocate(0, 1 << 20);
    const control::Target child = attach(child_pid);
    EXPECT_TRUE(child.process().asked.set);
    EXPECT_EQ(child.process().asked.policy, bind_to({0}));
    EXPECT_EQ(policy_at(child_pid, after), "bind:0");
    EXPECT_TRUE(in_regions(child, after, 0));
    bench.leave();
}

TEST(ForkChild, KeepsTheForkingThreadsOwnPolicy) {
    Workbench bench;
    const unsigned worker = bench.start_thread(0);
    control::Target parent = bench.attach();
    bench.set_all(parent, bind_to({0}));
    bench.set_one(parent, make_policy(Mode::kPreferred, {0}), worker);
    const uint64_t before = bench.allocate(worker, 1 << 20);

    const pid_t child_pid = bench.fork(worker);
    const uint64_t after = bench.allocate(0, 1 << 20);
    const control::Target child = attach(child_pid);
    const auto threads = child.threads();
    ASSERT_EQ(threads.size(), 1U);
    EXPECT_EQ(threads[0].tid, child_pid);
    EXPECT_TRUE(threads[0].asked.set);
    EXPECT_EQ(threads[0].asked.policy, make_policy(Mode::kPreferred, {0}));
    EXPECT_EQ(child.process().asked.policy, bind_to({0}));
    EXPECT_EQ(policy_at(child_pid, before), "prefer:0");
    EXPECT_EQ(policy_at(child_pid, after), "prefer:0");
    EXPECT_EQ(task_policy(child_pid), "prefer:0");
    EXPECT_TRUE(in_regions(child, after, threads[0].scope));
    bench.leave();
}

TEST(ForkChild, OfAThreadWithoutOwnPolicyFollowsTheProcess) {
    Workbench bench;
    const unsigned worker = bench.start_thread(0);
    control::Target parent = bench.attach();
    bench.set_all(parent, bind_to({0}));
    bench.set_one(parent, make_policy(Mode::kPreferred, {0}), worker);
    const uint64_t of_worker = bench.allocate(worker, 1 << 20);

    const pid_t child_pid = bench.fork();
    const uint64_t after = bench.allocate(0, 1 << 20);
    EXPECT_EQ(policy_at(child_pid, after), "bind:0");
    EXPECT_EQ(policy_at(child_pid, of_worker), "prefer:0") << "fork copies the ranges' policies";
    const control::Target child = attach(child_pid);
    ASSERT_EQ(child.threads().size(), 1U);
    EXPECT_FALSE(child.threads()[0].asked.set);
    bench.leave();
}

TEST(ForkChild, IsRewrittenApartFromItsParent) {
    Workbench bench;
    const uint64_t memory = bench.allocate(0, 1 << 20);
    control::Target parent = bench.attach();
    bench.set_all(parent, bind_to({0}));
    const pid_t child_pid = bench.fork();
    bench.call();
    control::Target child = attach(child_pid);
    bench.set_all(child, make_policy(Mode::kInterleave, {0}));
    EXPECT_EQ(policy_at(child_pid, memory), "interleave:0");
    EXPECT_EQ(policy_at(bench.pid(), memory), "bind:0");
    EXPECT_EQ(parent.process().asked.policy, bind_to({0}));
    bench.leave();
}

}  // namespace mpol::test

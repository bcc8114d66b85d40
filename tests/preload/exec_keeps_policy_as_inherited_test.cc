// SPDX-License-Identifier: Apache-2.0
// exec keeps the kernel's task policy; the new image reports it as what it was started with, and
// asks for nothing itself.
#include <gtest/gtest.h>

#include "workbench.h"

namespace mpol::test {
namespace {

void expect_inherited(pid_t pid, const Policy& policy, const std::string& text) {
    const control::ProcessState state = attach(pid).process();
    ASSERT_TRUE(state.inherited.has_value());
    EXPECT_EQ(state.inherited->mode, policy.mode);
    EXPECT_EQ(state.inherited->nodes, policy.nodes);
    EXPECT_EQ(state.inherited_origin.kind, MPOL_CTL_ORIGIN_INHERITED);
    EXPECT_NE(state.status & MPOL_CTL_STATUS_INHERITED, 0U);
    EXPECT_FALSE(state.asked.set);
    EXPECT_EQ(task_policy(pid), text);
}

}  // namespace

TEST(Exec, KeepsTheProcessPolicy) {
    Workbench bench;
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({0}));
    bench.execute();
    bench.call();
    expect_inherited(bench.pid(), bind_to({0}), "bind:0");
}

TEST(Exec, KeepsTheExecutingThreadsOwnPolicy) {
    Workbench bench;
    const unsigned worker = bench.start_thread(0);
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({0}));
    bench.set_one(target, make_policy(Mode::kPreferred, {0}), worker);
    bench.execute(worker);
    bench.call();
    expect_inherited(bench.pid(), make_policy(Mode::kPreferred, {0}), "prefer:0");
}

TEST(Exec, OfASpawnedChildKeepsIt) {
    Workbench bench;
    control::Target target = bench.attach();
    bench.set_all(target, make_policy(Mode::kInterleave, {0}));
    const pid_t child = bench.spawn();
    bench.call();
    expect_inherited(child, make_policy(Mode::kInterleave, {0}), "interleave:0");
    bench.leave();
}

TEST(Exec, WithoutPolicyInheritsNothing) {
    Workbench bench;
    bench.execute();
    bench.call();
    const control::ProcessState state = bench.attach().process();
    EXPECT_FALSE(state.inherited.has_value());
    EXPECT_EQ(state.status & MPOL_CTL_STATUS_INHERITED, 0U);
}

}  // namespace mpol::test

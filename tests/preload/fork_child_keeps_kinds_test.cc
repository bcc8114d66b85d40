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

}  // namespace mpol::test

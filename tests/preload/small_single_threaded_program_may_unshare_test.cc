// SPDX-License-Identifier: Apache-2.0
// unshare(CLONE_NEWUSER) is refused to a process with a second thread, whoever made it.
#include <gtest/gtest.h>
#include <sched.h>

#include <cerrno>

#include "workbench.h"

namespace mpol::test {
namespace {

uint64_t unshare_user(uint64_t, uint64_t, std::string&) {
    return ::unshare(CLONE_NEWUSER) == 0 ? 0 : static_cast<uint64_t>(errno);
}
const Verb unshare_verb("unshare_user", unshare_user);

uint64_t unshare_with(bool preload) {
    Options options;
    options.preload = preload;
    Workbench bench(options);
    bench.allocate_many(0, 10'000, 1000);  // 10 MB
    if (preload) {
        EXPECT_EQ(tasks(bench.pid()).size(), 1U);
        EXPECT_EQ(bench.attach().process().status & MPOL_CTL_STATUS_HELPER, 0U);
    }
    return bench.run(0, "unshare_user");
}

}  // namespace

TEST(Helper, DoesNotExistInASmallSingleThreadedProgram) {
    const uint64_t without = unshare_with(false);
    if (without != 0) GTEST_SKIP() << "this machine refuses user namespaces, errno " << without;
    EXPECT_EQ(unshare_with(true), 0U);
}

TEST(Helper, ComesWithTheFirstThread) {
    Workbench bench;
    bench.start_thread(0);
    const control::Target target = bench.attach();
    EXPECT_TRUE(
        eventually([&] { return (target.process().status & MPOL_CTL_STATUS_HELPER) != 0; }));
}

TEST(Helper, ComesWithALargeHeap) {
    Workbench bench;
    bench.allocate_many(0, 100, 1 << 20);
    bench.call();
    const control::Target target = bench.attach();
    EXPECT_TRUE(
        eventually([&] { return (target.process().status & MPOL_CTL_STATUS_HELPER) != 0; }));
}

TEST(Helper, AppliesWhileEveryThreadIsBlocked) {
    Workbench bench;
    bench.start_thread(0);
    const uint64_t memory = bench.allocate(0, 1 << 20);
    control::Target target = bench.attach();
    const uint64_t generation = set_process(target, bind_to({0}));
    ASSERT_TRUE(target.wait_process(generation, kWaitMs));
    EXPECT_EQ(policy_at(bench.pid(), memory), "bind:0");
}

}  // namespace mpol::test

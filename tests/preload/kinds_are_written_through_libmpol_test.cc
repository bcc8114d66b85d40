// SPDX-License-Identifier: Apache-2.0
// mpol_write_kind and mpol_read_kind of libmpol.
#include <gtest/gtest.h>

#include <cerrno>

#include "mpol/mpol.h"
#include "workbench.h"

namespace mpol::test {
namespace {

constexpr size_t kMiB = size_t{1} << 20;

}  // namespace

TEST(Libmpol, WritesAndReadsKinds) {
    Workbench bench;
    bench.start_thread(0);
    mpol_target* target = nullptr;
    ASSERT_EQ(mpol_open(bench.pid(), MPOL_WRITE, &target), 0);
    uint64_t threshold = 1;
    mpol_state state{};
    ASSERT_EQ(mpol_read_kind(target, MPOL_KIND_LARGE, &threshold, &state), 0);
    EXPECT_EQ(state.set, 0);
    EXPECT_EQ(threshold, 0U);

    mpol_policy policy{};
    ASSERT_EQ(mpol_parse("bind:0", &policy, nullptr, 0), 0);
    ASSERT_EQ(mpol_write_kind(target, MPOL_KIND_LARGE, 2 * kMiB, &policy, kWaitMs), 0);
    EXPECT_EQ(policy_at(bench.pid(), bench.allocate(0, 4 * kMiB)), "bind:0");
    ASSERT_EQ(mpol_read_kind(target, MPOL_KIND_LARGE, &threshold, &state), 0);
    EXPECT_EQ(threshold, 2 * kMiB);
    EXPECT_TRUE(state.set == 1 && state.in_force == 1 && state.generation == 1);
    EXPECT_EQ(state.origin, uint32_t{MPOL_ORIGIN_OUTSIDE});

    ASSERT_EQ(mpol_write_kind(target, MPOL_KIND_LARGE, 0, nullptr, kWaitMs), 0);
    EXPECT_EQ(policy_at(bench.pid(), bench.allocate(0, 4 * kMiB)), "default");
    ASSERT_EQ(mpol_read_kind(target, MPOL_KIND_LARGE, nullptr, &state), 0);
    EXPECT_EQ(state.set, 0);
    mpol_close(target);
    EXPECT_EQ(bench.finish(), 0);
}

TEST(Libmpol, WritesAndReadsAThreadsKinds) {
    Workbench bench;
    const unsigned worker = bench.start_thread(0);
    const pid_t tid = bench.tid(worker);
    mpol_target* target = nullptr;
    ASSERT_EQ(mpol_open(bench.pid(), MPOL_WRITE, &target), 0);
    mpol_policy policy{};
    ASSERT_EQ(mpol_parse("bind:0", &policy, nullptr, 0), 0);
    EXPECT_EQ(mpol_write_thread_kind(target, tid, MPOL_KIND_LARGE, kMiB, &policy, 0), -ENODATA);
    EXPECT_EQ(mpol_write_thread_kind(target, tid, MPOL_KIND_MMAP, kMiB, &policy, 0), -EINVAL);
    EXPECT_EQ(mpol_write_thread_kind(target, tid, 3, 0, &policy, 0), -EINVAL);
    EXPECT_EQ(mpol_write_thread_kind(target, 1, MPOL_KIND_MMAP, 0, &policy, 0), -ESRCH);

    ASSERT_EQ(mpol_write_thread_kind(target, tid, MPOL_KIND_MMAP, 0, &policy, kWaitMs), 0);
    EXPECT_EQ(policy_at(bench.pid(), bench.map(worker, 4 * kMiB)), "bind:0");
    EXPECT_EQ(policy_at(bench.pid(), bench.map(0, 4 * kMiB)), "default");
    mpol_state state{};
    uint64_t threshold = 1;
    ASSERT_EQ(mpol_read_thread_kind(target, tid, MPOL_KIND_MMAP, &threshold, &state), 0);
    EXPECT_TRUE(state.set == 1 && state.in_force == 1 && threshold == 0);
    ASSERT_EQ(mpol_read_thread_kind(target, tid, MPOL_KIND_STACK, nullptr, &state), 0);
    EXPECT_EQ(state.set, 0);
    ASSERT_EQ(mpol_write_thread_kind(target, tid, MPOL_KIND_MMAP, 0, nullptr, kWaitMs), 0);
    EXPECT_EQ(policy_at(bench.pid(), bench.map(worker, 4 * kMiB)), "default");

    ASSERT_EQ(mpol_write(target, tid, &policy, 0), 0);
    bench.call(worker);
    ASSERT_EQ(mpol_parse("prefer:0", &policy, nullptr, 0), 0);
    ASSERT_EQ(mpol_write_thread_kind(target, tid, MPOL_KIND_LARGE, kMiB, &policy, 0), 0);
    bench.call(worker);
    EXPECT_EQ(policy_at(bench.pid(), bench.allocate(worker, 2 * kMiB)), "prefer:0");
    EXPECT_EQ(policy_at(bench.pid(), bench.allocate(worker, kMiB / 2)), "bind:0");
    mpol_close(target);
    EXPECT_EQ(bench.finish(), 0);
}

TEST(Libmpol, RefusesKindsAndThresholdsThatAreNone) {
    Workbench bench;
    mpol_target* target = nullptr;
    ASSERT_EQ(mpol_open(bench.pid(), MPOL_WRITE, &target), 0);
    mpol_policy policy{};
    ASSERT_EQ(mpol_parse("bind:0", &policy, nullptr, 0), 0);
    mpol_state state{};
    EXPECT_EQ(mpol_read_kind(target, 3, nullptr, &state), -EINVAL);
    EXPECT_EQ(mpol_write_kind(target, 3, 0, &policy, 0), -EINVAL);
    EXPECT_EQ(mpol_write_kind(target, MPOL_KIND_LARGE, 0, &policy, 0), -EINVAL);
    EXPECT_EQ(mpol_write_kind(target, MPOL_KIND_LARGE, 4096, &policy, 0), -EINVAL);
    EXPECT_EQ(mpol_write_kind(target, MPOL_KIND_STACK, kMiB, &policy, 0), -EINVAL);
    EXPECT_EQ(mpol_read_kind(target, MPOL_KIND_LARGE, nullptr, &state), 0);
    EXPECT_EQ(state.generation, 0U) << "nothing was published";
    mpol_close(target);
    EXPECT_EQ(bench.finish(), 0);
}

}  // namespace mpol::test

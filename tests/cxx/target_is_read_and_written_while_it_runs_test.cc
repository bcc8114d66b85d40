// SPDX-License-Identifier: Apache-2.0
// mpol::Target on a live process: its policy, a thread's and a kind's are written, in force and
// taken back.
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <mpol/mpol.hpp>

#include "live_target.h"

namespace mpol::test {
namespace {

constexpr size_t kMiB = size_t{1} << 20;
constexpr std::chrono::milliseconds kNoWait{0};
const Policy kBind0(Mode::kBind, NodeMask(1));
const Policy kPrefer0(Mode::kPreferred, NodeMask(1));

TEST_F(LiveTarget, FollowsWhatIsWritten) {
    const auto before = target_->read();
    ASSERT_TRUE(before);
    EXPECT_FALSE(before->policy);

    const auto begin = std::chrono::system_clock::now();
    const auto written = target_->write(kProcess, kBind0, kWait);
    ASSERT_TRUE(written) << written.error().message();
    EXPECT_EQ(subject_.policy_of_allocated(0, 4 * kMiB), "bind:0");
    const auto state = target_->read();
    ASSERT_TRUE(state);
    EXPECT_EQ(state->policy, kBind0);
    EXPECT_TRUE(state->in_force);
    EXPECT_EQ(state->generation, before->generation + 1);
    EXPECT_EQ(state->origin, Origin::kOutside);
    EXPECT_EQ(state->origin_uid, ::geteuid());
    EXPECT_EQ(state->origin_pid, ::getpid());
    EXPECT_FALSE(state->error);
    EXPECT_GE(state->set_at, begin);
    EXPECT_LE(state->set_at, std::chrono::system_clock::now());

    ASSERT_TRUE(target_->unset(kProcess, kWait));
    EXPECT_EQ(subject_.policy_of_allocated(0, 8 * kMiB), "default");
    EXPECT_FALSE(target_->read()->policy);
    EXPECT_EQ(target_->read()->generation, before->generation + 2);
}

TEST_F(LiveTarget, FollowsThreadByThread) {
    const pid_t tid = subject_.tid(worker_);
    ASSERT_TRUE(target_->write(tid, kBind0, kNoWait));
    subject_.call(worker_);
    EXPECT_EQ(subject_.policy_of_allocated(worker_, 4 * kMiB), "bind:0");
    EXPECT_EQ(subject_.policy_of_allocated(0, 4 * kMiB), "default");
    const auto state = target_->read(tid);
    ASSERT_TRUE(state) << state.error().message();
    EXPECT_EQ(state->policy, kBind0);
    EXPECT_FALSE(target_->read()->policy);

    ASSERT_TRUE(target_->unset(tid, kNoWait));
    subject_.call(worker_);
    EXPECT_EQ(subject_.policy_of_allocated(worker_, 8 * kMiB), "default");
    EXPECT_FALSE(target_->read(tid)->policy);
    EXPECT_EQ(target_->read(1).error(), std::errc::no_such_process);
}

TEST_F(LiveTarget, FollowsKindByKind) {
    ASSERT_TRUE(target_->write_kind(kProcess, Kind::kLarge, 2 * kMiB, kBind0, kWait));
    EXPECT_EQ(subject_.policy_of_allocated(0, 4 * kMiB), "bind:0");
    auto state = target_->read_kind(kProcess, Kind::kLarge);
    ASSERT_TRUE(state);
    EXPECT_EQ(state->policy, kBind0);
    EXPECT_EQ(state->threshold_bytes, 2 * kMiB);
    EXPECT_TRUE(state->in_force);
    EXPECT_FALSE(target_->read_kind(kProcess, Kind::kStack)->policy);
    ASSERT_TRUE(target_->unset_kind(kProcess, Kind::kLarge, kWait));
    EXPECT_FALSE(target_->read_kind(kProcess, Kind::kLarge)->policy);

    const pid_t tid = subject_.tid(worker_);
    ASSERT_TRUE(target_->write_kind(tid, Kind::kMmap, 0, kPrefer0, kWait));
    EXPECT_EQ(subject_.policy_of_mapped(worker_, 4 * kMiB), "prefer:0");
    EXPECT_EQ(subject_.policy_of_mapped(0, 4 * kMiB), "default");
    state = target_->read_kind(tid, Kind::kMmap);
    ASSERT_TRUE(state);
    EXPECT_EQ(state->policy, kPrefer0);
    EXPECT_FALSE(target_->read_kind(kProcess, Kind::kMmap)->policy);
    ASSERT_TRUE(target_->unset_kind(tid, Kind::kMmap, kWait));
    EXPECT_EQ(subject_.policy_of_mapped(worker_, 4 * kMiB), "default");
}

TEST_F(LiveTarget, GoesWithTheObjectThatItIsMovedTo) {
    Target moved = *std::move(target_);
    target_.reset();
    ASSERT_TRUE(moved.write(kProcess, kBind0, kWait));
    target_.emplace(std::move(moved));
    EXPECT_EQ(target_->read()->policy, kBind0);
}

TEST_F(LiveTarget, MigratesToTheEnd) {
    ASSERT_TRUE(target_->write(kProcess, kBind0, kWait));
    EXPECT_EQ(target_->read_migration()->generation, 0U);
    EXPECT_FALSE(target_->read_migration()->has_ended());
    const auto generation = target_->start_migration();
    ASSERT_TRUE(generation) << generation.error().message();
    const auto waited = target_->wait_migration(*generation, kWait);
    ASSERT_TRUE(waited) << waited.error().message();
    const auto migration = target_->read_migration();
    ASSERT_TRUE(migration);
    EXPECT_EQ(migration->generation, *generation);
    EXPECT_EQ(migration->phase, MPOL_MIGRATION_DONE);
    EXPECT_TRUE(migration->has_ended());
    EXPECT_EQ(migration->remaining_bytes, 0U);
    EXPECT_GT(migration->elapsed().count(), 0);
    EXPECT_GE(migration->elapsed(), migration->longest_batch());
    EXPECT_TRUE(target_->renew_migration());
    EXPECT_EQ(target_->wait_migration(*generation + 1, kWait).error(),
              std::error_code(ESTALE, std::generic_category()));
}

}  // namespace
}  // namespace mpol::test

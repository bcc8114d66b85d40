// SPDX-License-Identifier: Apache-2.0
// The C API of a migration: what a program gets that links libmpol.
#include <gtest/gtest.h>

#include <memory>

#include "migrating.h"
#include "mpol/mpol.h"

namespace mpol::test {
namespace {

constexpr size_t kMemory = size_t{40} << 20;
constexpr uint32_t kNoLease = 0;
using Handle = std::unique_ptr<mpol_target, decltype(&mpol_close)>;

Handle open(pid_t pid, unsigned access) {
    mpol_target* target = nullptr;
    EXPECT_EQ(mpol_open(pid, access, &target), 0);
    return {target, mpol_close};
}

mpol_migration read(const Handle& target) {
    mpol_migration state{};
    EXPECT_EQ(mpol_read_migration(target.get(), &state), 0);
    return state;
}

}  // namespace

TEST(Programs, MigrateThroughTheLibrary) {
    Migrating bench;
    control::Target outside = bench.attach();
    bench.set_all(outside, bind_to({0}));
    bench.allocate_imprinted(0, kMemory);
    const Handle target = open(bench.pid(), MPOL_WRITE);
    EXPECT_EQ(read(target).phase, MPOL_MIGRATION_IDLE);
    uint64_t generation = 0;
    ASSERT_EQ(mpol_start_migration(target.get(), 0, 0, kNoLease, &generation), 0);
    ASSERT_EQ(mpol_wait_migration(target.get(), generation, kWaitMs), 0);
    const mpol_migration state = read(target);
    EXPECT_EQ(state.generation, generation);
    EXPECT_EQ(state.phase, MPOL_MIGRATION_DONE);
    EXPECT_EQ(state.remaining_bytes, 0U);
    EXPECT_GE(state.in_place_bytes, kMemory);
    EXPECT_EQ(state.busy_bytes + state.shared_bytes + state.other_bytes, 0U);
    EXPECT_EQ(mpol_wait_migration(target.get(), generation + 1, kWaitMs), -ESTALE);
}

TEST(Programs, ThatMayOnlyReadCannotMigrate) {
    Migrating bench;
    const Handle target = open(bench.pid(), MPOL_READ);
    uint64_t generation = 0;
    EXPECT_EQ(mpol_start_migration(target.get(), 0, 0, kNoLease, &generation), -EBADF);
    EXPECT_EQ(mpol_renew_migration(target.get()), -EBADF);
    EXPECT_EQ(mpol_cancel_migration(target.get(), 1), -EBADF);
    EXPECT_EQ(mpol_wait_migration(target.get(), 1, 0), -EBADF);
    EXPECT_EQ(read(target).phase, MPOL_MIGRATION_IDLE);
}

TEST(Programs, TakeBackWhatNobodyTookUp) {
    Migrating bench;  // It has no helper before it sees a rewrite, and makes no call here.
    const Handle target = open(bench.pid(), MPOL_WRITE);
    uint64_t generation = 0;
    ASSERT_EQ(mpol_start_migration(target.get(), 0, 0, kNoLease, &generation), 0);
    EXPECT_EQ(mpol_wait_migration(target.get(), generation, 20), -ETIMEDOUT);
    ASSERT_EQ(mpol_cancel_migration(target.get(), generation), 0);
    ASSERT_EQ(mpol_wait_migration(target.get(), generation, 0), 0);
    EXPECT_EQ(read(target).phase, MPOL_MIGRATION_CANCELLED);
    EXPECT_EQ(read(target).batches, 0U);
}

}  // namespace mpol::test

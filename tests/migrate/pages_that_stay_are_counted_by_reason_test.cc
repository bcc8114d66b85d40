// SPDX-License-Identifier: Apache-2.0
// Pages that can't be moved stay, are counted, and don't keep the others.
#include <gtest/gtest.h>

#include "migrating.h"

namespace mpol::test {
namespace {

using Counted = FourNodes;
constexpr size_t kMemory = size_t{32} << 20;

}  // namespace

TEST_F(Counted, PagesSharedWithAForkedChild) {
    Migrating bench;
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({1}));
    const uint64_t memory = bench.allocate_imprinted(0, kMemory);
    bench.fork();  // The child answers now, and holds the pages as the parent does.
    const uint64_t generation = set_process(target, bind_to({2}));
    ASSERT_TRUE(target.wait_process(generation, kWaitMs));
    const MigrationState state = migrate(target);
    EXPECT_EQ(state.phase, MigrationPhase::kDone) << state;
    EXPECT_GE(state.failed[MPOL_CTL_MIGRATION_SHARED], kMemory) << state;
    EXPECT_EQ(state.failed[MPOL_CTL_MIGRATION_OTHER], 0U) << state;
    EXPECT_EQ(bench.mistakes(memory, kMemory), 0U);
    bench.leave();
    const MigrationState later = migrate(target);
    EXPECT_EQ(later.failed_in_all(), 0U) << later;
    EXPECT_TRUE(only_on(bench.nodes(memory, kMemory), NodeMask::of(2)));
    EXPECT_EQ(bench.mistakes(memory, kMemory), 0U);
}

TEST_F(Counted, PagesForWhichTheNodeHasNoRoom) {
    constexpr size_t kTooMuch = size_t{1200} << 20;
    Migrating bench;
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({1, 2}));
    const uint64_t memory = bench.allocate(0, kTooMuch);
    bench.touch(0, memory, kTooMuch);
    bench.set_all(target, make_policy(Mode::kPreferred, {3}));
    const MigrationState state = migrate(target);
    EXPECT_EQ(state.phase, MigrationPhase::kDone) << state;
    EXPECT_GT(state.failed[MPOL_CTL_MIGRATION_NO_MEMORY], size_t{100} << 20) << state;
    EXPECT_GT(state.moved, size_t{700} << 20) << state;
    std::cout << "[ figures  ] " << state << '\n';
}

}  // namespace mpol::test

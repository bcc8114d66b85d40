// SPDX-License-Identifier: Apache-2.0
// Where every page is where it belongs, a migration looks at all of them and moves none.
#include <gtest/gtest.h>

#include "migrating.h"

namespace mpol::test {
namespace {

constexpr size_t kMemory = size_t{64} << 20;

}  // namespace

TEST(OneNode, HasNothingToMove) {
    Migrating bench;
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({0}));
    const uint64_t memory = bench.allocate_imprinted(0, kMemory);
    const MigrationState state = migrate(target);
    EXPECT_EQ(state.phase, MigrationPhase::kDone) << state;
    EXPECT_EQ(state.failed_in_all(), 0U) << state;
    EXPECT_GE(state.placed, kMemory) << state;
    EXPECT_GE(state.total, kMemory) << state;
    EXPECT_EQ(state.remaining(), 0U) << state;
    EXPECT_EQ(bench.mistakes(memory, kMemory), 0U);
}

TEST(OneNode, WithoutAPolicyNothingIsLookedAt) {
    Migrating bench;
    control::Target target = bench.attach();
    const uint64_t memory = bench.allocate_imprinted(0, kMemory);
    const uint64_t generation = start(target);
    bench.call();
    const MigrationState state = follow(target, generation);
    EXPECT_EQ(state.phase, MigrationPhase::kDone) << state;
    EXPECT_EQ(state.total, 0U) << state;
    EXPECT_GE(state.unbound, kMemory) << state;
    EXPECT_EQ(state.batches, 0U) << state;
    EXPECT_EQ(bench.mistakes(memory, kMemory), 0U);
}

}  // namespace mpol::test

// SPDX-License-Identifier: Apache-2.0
// A migration that is cancelled has moved what it says, the program's memory is whole, and asking
// again moves the rest and nothing twice.
#include <gtest/gtest.h>

#include "migrating.h"

namespace mpol::test {
namespace {

using Cancelled = FourNodes;
constexpr size_t kMemory = size_t{96} << 20;

}  // namespace

TEST_F(Cancelled, MigrationResumes) {
    Migrating bench;
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({1}));
    const uint64_t memory = bench.allocate_imprinted(0, kMemory);
    bench.set_all(target, bind_to({2}));
    const uint64_t generation = start(target);
    (void)follow(target, generation,
                 [](const MigrationState& state) { return state.moved > kMemory / 4; });
    target.cancel_migration(generation);
    const MigrationState state = follow(target, generation);
    ASSERT_EQ(state.phase, MigrationPhase::kCancelled) << state;
    const Nodes half = bench.nodes(memory, kMemory);
    // The heap has a few pages besides.
    EXPECT_GE(state.moved / kPage, half.at(2)) << state;
    EXPECT_LT(state.moved / kPage, half.at(2) + 2000) << state;
    EXPECT_GT(half.at(1), 0U);
    EXPECT_GT(state.remaining(), 0U);
    EXPECT_EQ(bench.mistakes(memory, kMemory), 0U);

    const MigrationState rest = migrate(target);
    EXPECT_EQ(rest.phase, MigrationPhase::kDone) << rest;
    EXPECT_GE(rest.placed, half.at(2) * kPage) << rest;
    EXPECT_TRUE(only_on(bench.nodes(memory, kMemory), NodeMask::of(2)));
    EXPECT_EQ(bench.mistakes(memory, kMemory), 0U);
    const MigrationState nothing = migrate(target);
    EXPECT_EQ(nothing.moved, 0U) << nothing;
    EXPECT_GE(nothing.placed, kMemory) << nothing;
}

TEST_F(Cancelled, SecondAskerIsRefusedMeanwhile) {
    Migrating bench;
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({1}));
    bench.allocate_imprinted(0, kMemory);
    bench.set_all(target, bind_to({2}));
    const uint64_t generation = start(target, {.bytes_per_second = 1 << 20});
    ASSERT_TRUE(target.wait_migration(generation, MigrationPhase::kAsked, kWaitMs));
    const auto second = target.start_migration({}, kWaitMs);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().err, EBUSY);
    EXPECT_EQ(second.error().what,
              "process " + std::to_string(bench.pid()) + " is migrating already");
    target.cancel_migration(generation);
    EXPECT_EQ(follow(target, generation).phase, MigrationPhase::kCancelled);
}

}  // namespace mpol::test

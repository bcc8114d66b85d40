// SPDX-License-Identifier: Apache-2.0
// A child that is forked in the middle of a migration has none, and can be asked for its own.
#include <gtest/gtest.h>

#include "migrating.h"

namespace mpol::test {
namespace {

using ForkChild = FourNodes;
constexpr size_t kMemory = size_t{64} << 20;

}  // namespace

TEST_F(ForkChild, DoesNotGoOnWithIt) {
    Migrating bench;
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({1}));
    const uint64_t memory = bench.allocate_imprinted(0, kMemory);
    bench.set_all(target, bind_to({2}));
    const uint64_t generation = start(target, {.bytes_per_second = 16 << 20});
    (void)follow(target, generation,
                 [](const MigrationState& state) { return state.moved > kMemory / 8; });
    const pid_t child = bench.fork();
    bench.call();
    control::Target of_child = attach(child);
    EXPECT_EQ(of_child.migration().phase, MigrationPhase::kIdle);
    EXPECT_EQ(of_child.migration().generation, 0U);
    EXPECT_EQ(bench.mistakes(memory, kMemory), 0U);

    // The pages are the parent's too: all are counted, none is moved.
    const uint64_t own = start(of_child);
    bench.call();
    bench.call();
    const MigrationState state = follow(of_child, own);
    EXPECT_EQ(state.phase, MigrationPhase::kDone) << state;
    EXPECT_GT(state.failed[MPOL_CTL_MIGRATION_SHARED], 0U) << state;
    bench.leave();
    EXPECT_EQ(follow(target, generation).phase, MigrationPhase::kDone);
    EXPECT_EQ(migrate(target).failed_in_all(), 0U);
    EXPECT_TRUE(only_on(bench.nodes(memory, kMemory), NodeMask::of(2)));
    EXPECT_EQ(bench.mistakes(memory, kMemory), 0U);
}

}  // namespace mpol::test

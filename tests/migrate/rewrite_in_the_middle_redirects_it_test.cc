// SPDX-License-Identifier: Apache-2.0
// A policy that is rewritten while pages move is applied between two batches, and the migration
// ends with every page where the new one wants it.
#include <gtest/gtest.h>

#include "migrating.h"

namespace mpol::test {
namespace {

using Rewrite = FourNodes;
constexpr size_t kMemory = size_t{96} << 20;

}  // namespace

TEST_F(Rewrite, InTheMiddleRedirectsIt) {
    Migrating bench;
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({1}));
    const uint64_t memory = bench.allocate_imprinted(0, kMemory);
    bench.set_all(target, bind_to({2}));
    const uint64_t generation = start(target);
    const MigrationState before = follow(
        target, generation, [](const MigrationState& state) { return state.moved > kMemory / 4; });
    ASSERT_EQ(before.phase, MigrationPhase::kRunning) << before;
    const uint64_t published = set_process(target, bind_to({3}));
    // The helper does it: the program makes no call meanwhile.
    ASSERT_TRUE(target.wait_process(published, kWaitMs));
    EXPECT_LE(target.migration().batches, before.batches + 200);
    const MigrationState state = follow(target, generation);
    EXPECT_EQ(state.phase, MigrationPhase::kDone) << state;
    EXPECT_GE(state.rewrites, 1U) << state;
    EXPECT_EQ(state.failed_in_all(), 0U) << state;
    EXPECT_TRUE(only_on(bench.nodes(memory, kMemory), NodeMask::of(3)));
    EXPECT_EQ(bench.mistakes(memory, kMemory), 0U);
}

}  // namespace mpol::test

// SPDX-License-Identifier: Apache-2.0
// A migration with a lease pauses when nobody renews it, and goes on when somebody does; one
// without needs nobody.
#include <gtest/gtest.h>

#include "migrating.h"

namespace mpol::test {
namespace {

using Asker = FourNodes;
constexpr size_t kMemory = size_t{64} << 20;
constexpr uint64_t kSlow = 8 << 20;  // bytes per second

}  // namespace

TEST_F(Asker, ThatLooksAwayPausesIt) {
    Migrating bench;
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({1}));
    const uint64_t memory = bench.allocate_imprinted(0, kMemory);
    bench.set_all(target, bind_to({2}));
    const uint64_t generation = start(target, {.bytes_per_second = kSlow, .lease_ms = 100});
    ASSERT_TRUE(eventually([&] { return target.migration().phase == MigrationPhase::kPaused; }));
    const uint64_t moved = target.migration().moved;
    EXPECT_LT(moved, kMemory);
    bench.call();  // Something rings: it stays paused.
    EXPECT_EQ(target.migration().moved, moved);
    EXPECT_EQ(bench.mistakes(memory, kMemory), 0U);
    EXPECT_EQ(follow(target, generation).phase, MigrationPhase::kDone);
    EXPECT_TRUE(only_on(bench.nodes(memory, kMemory), NodeMask::of(2)));
}

TEST_F(Asker, ThatNeverCameBackIsReplaced) {
    Migrating bench;
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({1}));
    const uint64_t memory = bench.allocate_imprinted(0, kMemory);
    bench.set_all(target, bind_to({2}));
    start(target, {.bytes_per_second = kSlow, .lease_ms = 100});
    ASSERT_TRUE(eventually([&] { return target.migration().phase == MigrationPhase::kPaused; }));
    EXPECT_EQ(migrate(target).phase, MigrationPhase::kDone);
    EXPECT_TRUE(only_on(bench.nodes(memory, kMemory), NodeMask::of(2)));
}

TEST_F(Asker, IsNotNeededWithoutALease) {
    Migrating bench;
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({1}));
    const uint64_t memory = bench.allocate_imprinted(0, kMemory);
    bench.set_all(target, bind_to({2}));
    ASSERT_TRUE(target.start_migration({}, kWaitMs));
    ASSERT_TRUE(eventually([&] { return target.migration().phase == MigrationPhase::kDone; }));
    EXPECT_TRUE(only_on(bench.nodes(memory, kMemory), NodeMask::of(2)));
}

}  // namespace mpol::test

// SPDX-License-Identifier: Apache-2.0
// A thread's migration moves what it allocated under its own policy; a process's moves all, each
// thread's memory by that thread's policy.
#include <gtest/gtest.h>

#include "migrating.h"

namespace mpol::test {
namespace {

using Thread = FourNodes;
constexpr size_t kMemory = size_t{24} << 20;

}  // namespace

TEST_F(Thread, MovesOnlyItsOwnMemory) {
    Migrating bench;
    const unsigned worker = bench.start_thread(0);
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({0}));
    bench.set_one(target, bind_to({1}), worker);
    const uint64_t common = bench.allocate_imprinted(0, kMemory);
    const uint64_t own = bench.allocate_imprinted(worker, kMemory);
    ASSERT_TRUE(only_on(bench.nodes(own, kMemory), NodeMask::of(1)));
    bench.set_all(target, bind_to({2}));
    bench.set_one(target, bind_to({3}), worker);
    const auto slot = target.slot_of(bench.tid(worker));
    ASSERT_TRUE(slot);

    const MigrationState thread = migrate(target, {.thread = *slot});
    EXPECT_EQ(thread.phase, MigrationPhase::kDone) << thread;
    EXPECT_TRUE(only_on(bench.nodes(own, kMemory), NodeMask::of(3)));
    EXPECT_TRUE(only_on(bench.nodes(common, kMemory), NodeMask::of(0)));
    EXPECT_LT(thread.moved, kMemory + kMemory / 2) << thread;

    bench.set_one(target, bind_to({1}), worker);
    const MigrationState all = migrate(target);
    EXPECT_EQ(all.failed_in_all(), 0U) << all;
    EXPECT_TRUE(only_on(bench.nodes(own, kMemory), NodeMask::of(1)));
    EXPECT_TRUE(only_on(bench.nodes(common, kMemory), NodeMask::of(2)));
    EXPECT_EQ(bench.mistakes(own, kMemory) + bench.mistakes(common, kMemory), 0U);
}

TEST_F(Thread, WithoutAPolicyOfItsOwnHasNothingToMove) {
    Migrating bench;
    const unsigned worker = bench.start_thread(0);
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({0}), {0, worker});
    const uint64_t memory = bench.allocate_imprinted(worker, kMemory);
    bench.set_all(target, bind_to({2}), {0, worker});
    const MigrationState state = migrate(target, {.thread = *target.slot_of(bench.tid(worker))});
    EXPECT_EQ(state.phase, MigrationPhase::kDone) << state;
    EXPECT_EQ(state.total, 0U) << state;
    EXPECT_TRUE(only_on(bench.nodes(memory, kMemory), NodeMask::of(0)));
}

}  // namespace mpol::test

// SPDX-License-Identifier: Apache-2.0
// After a migration the kernel says of every page that it lies where the policy wants it, and every
// page holds what was written to it.
#include <gtest/gtest.h>

#include <fstream>
#include <iostream>

#include "migrating.h"
#include "policy/placement.h"

namespace mpol::test {
namespace {

using Migration = FourNodes;

constexpr size_t kMemory = size_t{48} << 20;

uint8_t system_weight(unsigned node) {
    unsigned weight = 1;
    std::ifstream("/sys/kernel/mm/mempolicy/weighted_interleave/node" + std::to_string(node)) >>
        weight;
    return static_cast<uint8_t>(weight);
}

}  // namespace

TEST_F(Migration, GigabyteFollowsABind) {
    constexpr size_t kGigabyte = size_t{1} << 30;
    Migrating bench;
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({1, 2}));
    const uint64_t memory = bench.allocate_imprinted(0, kGigabyte);
    ASSERT_TRUE(only_on(bench.nodes(memory, kGigabyte), bind_to({1, 2}).nodes));
    bench.set_all(target, bind_to({0, 3}));
    const MigrationState state = migrate(target);
    EXPECT_EQ(state.phase, MigrationPhase::kDone) << state;
    EXPECT_EQ(state.failed_in_all(), 0U) << state;
    EXPECT_GE(state.moved, kGigabyte) << state;
    const Nodes nodes = bench.nodes(memory, kGigabyte);
    EXPECT_TRUE(only_on(nodes, bind_to({0, 3}).nodes)) << nodes;
    EXPECT_EQ(bench.mistakes(memory, kGigabyte), 0U);
    RecordProperty("batches", static_cast<int>(state.batches));
    std::cout << "[ figures  ] " << state << '\n';
}

TEST_F(Migration, InterleavedPagesGoWhereTheKernelWouldHavePutThem) {
    Migrating bench;
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({3}));
    const uint64_t memory = bench.allocate_imprinted(0, kMemory);
    bench.set_all(target, make_policy(Mode::kInterleave, {0, 1, 2}));
    const MigrationState state = migrate(target);
    EXPECT_EQ(state.failed_in_all(), 0U) << state;
    expect_interleaved(bench.order(memory, kMemory), memory, NodeMask::first_nodes(3));
    // What is faulted from now on goes on in the same order: together one interleave.
    const uint64_t fresh = bench.allocate(0, kMemory);
    bench.touch(0, fresh, kMemory);
    const uint64_t first = (fresh + kPage) & ~uint64_t{kPage - 1};
    expect_interleaved(bench.order(first, kMemory - 2 * kPage), first, NodeMask::first_nodes(3));
    EXPECT_EQ(bench.mistakes(memory, kMemory), 0U);
    const MigrationState again = migrate(target);
    EXPECT_EQ(again.moved, 0U) << again;
    EXPECT_GE(again.placed, 2 * kMemory - 2 * kPage) << again;
}

TEST_F(Migration, WeightedInterleaveKeepsItsShares) {
    if (!kernel_knows(Mode::kWeightedInterleave)) GTEST_SKIP() << "the kernel doesn't know it";
    for (unsigned node = 0; node < 4; ++node) {
        std::ofstream("/sys/kernel/mm/mempolicy/weighted_interleave/node" + std::to_string(node))
            << 4 - node;
    }
    Migrating bench;
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({1}));
    const uint64_t memory = bench.allocate_imprinted(0, kMemory);
    const Policy policy = make_policy(Mode::kWeightedInterleave, {0, 1, 2, 3});
    bench.set_all(target, policy);
    const MigrationState state = migrate(target);
    EXPECT_EQ(state.failed_in_all(), 0U) << state;
    KernelWeights weights;
    for (unsigned node = 0; node < 4; ++node) weights.of[node] = system_weight(node);
    const std::vector<int> order = bench.order(memory, kMemory);
    for (size_t i = 0; i < order.size(); ++i) {
        ASSERT_EQ(order[i], node_of_page(policy.mode, policy.nodes, memory / kPage + i, weights));
    }
    EXPECT_EQ(bench.mistakes(memory, kMemory), 0U);
}

TEST_F(Migration, PreferredNodeTakesAll) {
    Migrating bench;
    control::Target target = bench.attach();
    bench.set_all(target, make_policy(Mode::kInterleave, {0, 1}));
    const uint64_t memory = bench.allocate_imprinted(0, kMemory);
    bench.set_all(target, make_policy(Mode::kPreferred, {3}));
    const MigrationState state = migrate(target);
    EXPECT_EQ(state.failed_in_all(), 0U) << state;
    EXPECT_TRUE(only_on(bench.nodes(memory, kMemory), NodeMask::of(3)));
    EXPECT_EQ(bench.mistakes(memory, kMemory), 0U);
}

TEST_F(Migration, PagesOnAnyNodeOfAPreferredSetStay) {
    Migrating bench;
    control::Target target = bench.attach();
    bench.set_all(target, make_policy(Mode::kInterleave, {0, 1}));
    const uint64_t memory = bench.allocate_imprinted(0, kMemory);
    const Nodes before = bench.nodes(memory, kMemory);
    bench.set_all(target, make_policy(Mode::kPreferredMany, {1, 2}));
    EXPECT_EQ(migrate(target).failed_in_all(), 0U);
    const Nodes after = bench.nodes(memory, kMemory);
    EXPECT_TRUE(only_on(after, bind_to({1, 2}).nodes)) << after;
    EXPECT_GE(after.at(1), before.at(1));
}

TEST_F(Migration, LocalMovesNothing) {
    Migrating bench;
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({2}));
    const uint64_t memory = bench.allocate_imprinted(0, kMemory);
    bench.set_all(target, make_policy(Mode::kLocal, {}));
    const MigrationState state = migrate(target);
    EXPECT_EQ(state.moved, 0U) << state;
    EXPECT_EQ(state.total, 0U) << state;
    EXPECT_GE(state.unbound, kMemory) << state;
    EXPECT_TRUE(only_on(bench.nodes(memory, kMemory), NodeMask::of(2)));
}

}  // namespace mpol::test

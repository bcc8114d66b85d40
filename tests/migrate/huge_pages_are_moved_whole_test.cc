// SPDX-License-Identifier: Apache-2.0
// Transparent huge pages move as they are: as many bytes of them after as before.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include "migrating.h"

namespace mpol::test {
namespace {

constexpr size_t kHuge = size_t{2} << 20;
constexpr size_t kMemory = size_t{64} << 20;

// first: address, second: size.
uint64_t want_huge_verb(uint64_t address, uint64_t size, std::string&) {
    return static_cast<uint64_t>(::madvise(reinterpret_cast<void*>(address), size, MADV_HUGEPAGE));
}
const Verb want_huge_registered("want_huge", want_huge_verb);

class HugePages : public FourNodes, public testing::WithParamInterface<const char*> {
  protected:
    void SetUp() override {
        FourNodes::SetUp();
        if (!IsSkipped() && !set_huge_pages(GetParam())) {
            GTEST_SKIP() << "transparent huge pages can't be set to " << GetParam();
        }
    }
    void TearDown() override { (void)set_huge_pages("madvise"); }
};

uint64_t huge_bytes(const Migrating& bench) {
    return rollup_bytes(bench.pid(), "AnonHugePages");
}

// Asks for huge pages and faults the memory in. No more are made then: khugepaged's would be taken
// for ours, or hide a split. Where it begins.
uint64_t fill(Migrating& bench) {
    const uint64_t memory = bench.allocate(0, kMemory + kHuge);
    const uint64_t start = (memory + kHuge - 1) & ~uint64_t{kHuge - 1};
    bench.run(0, "want_huge", start, kMemory);
    bench.run(0, "imprint", start, kMemory);
    EXPECT_TRUE(set_huge_pages("never"));
    return start;
}

}  // namespace

TEST_P(HugePages, FollowABindUnsplit) {
    Migrating bench(true);
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({1}));
    const uint64_t memory = fill(bench);
    bench.set_all(target, bind_to({2, 3}));
    // After the rewrite, which gives free memory back: parts of huge pages too.
    const uint64_t before = huge_bytes(bench);
    ASSERT_GE(before, kMemory);
    const MigrationState state = migrate(target);
    EXPECT_EQ(state.failed_in_all(), 0U) << state;
    const Nodes nodes = bench.nodes(memory, kMemory);
    EXPECT_TRUE(only_on(nodes, bind_to({2, 3}).nodes)) << nodes;
    EXPECT_GE(nodes.at(2), kMemory / kPage / 4) << "both nodes get their share: " << nodes;
    EXPECT_GE(nodes.at(3), kMemory / kPage / 4) << "both nodes get their share: " << nodes;
    EXPECT_EQ(huge_bytes(bench), before);
    EXPECT_EQ(bench.mistakes(memory, kMemory), 0U);
}

TEST_P(HugePages, InterleaveUnsplitByTheirOwnNumber) {
    Migrating bench(true);
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({1}));
    const uint64_t memory = fill(bench);
    bench.set_all(target, make_policy(Mode::kInterleave, {0, 2}));
    // After the rewrite, which gives free memory back: parts of huge pages too.
    const uint64_t before = huge_bytes(bench);
    ASSERT_GE(before, kMemory);
    const MigrationState state = migrate(target);
    EXPECT_EQ(state.failed_in_all(), 0U) << state;
    for (uint64_t at = memory; at < memory + kMemory; at += kHuge) {
        const unsigned home = at / kHuge % 2 == 0 ? 0 : 2;
        ASSERT_TRUE(only_on(bench.nodes(at, kHuge), NodeMask::of(home)));
    }
    EXPECT_EQ(huge_bytes(bench), before);
    EXPECT_EQ(bench.mistakes(memory, kMemory), 0U);
}

INSTANTIATE_TEST_SUITE_P(Enabled, HugePages, testing::Values("always", "madvise"));

using FullNode = FourNodes;

TEST_F(FullNode, MakesAHugePageStayRatherThanSplit) {
    if (!set_huge_pages("madvise")) GTEST_SKIP() << "transparent huge pages can't be set";
    Migrating bench(true);
    control::Target target = bench.attach();
    // Another process leaves the node no huge page to give: all but a little, by base pages.
    Migrating hog;
    control::Target hogs = hog.attach();
    bench.set_all(target, bind_to({1}));
    const uint64_t memory = fill(bench);
    hog.set_all(hogs, make_policy(Mode::kPreferred, {3}));
    hog.allocate_imprinted(0, size_t{1} << 30);
    bench.set_all(target, make_policy(Mode::kPreferred, {3}));
    // After the rewrite, which gives free memory back: parts of huge pages too.
    const uint64_t before = huge_bytes(bench);
    ASSERT_GE(before, kMemory);
    const MigrationState state = migrate(target);
    EXPECT_EQ(state.phase, MigrationPhase::kDone);
    EXPECT_GT(state.failed[MPOL_CTL_MIGRATION_NO_MEMORY], 0U) << state;
    EXPECT_EQ(huge_bytes(bench), before);
    EXPECT_EQ(bench.mistakes(memory, kMemory), 0U);
}

}  // namespace mpol::test

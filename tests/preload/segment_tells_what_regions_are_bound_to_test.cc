// SPDX-License-Identifier: Apache-2.0
// Each region's row: how much is committed, and what it is bound to; in a forked child's own
// segment as well.
#include <gtest/gtest.h>

#include "workbench.h"

namespace mpol::test {
namespace {

// The helper may just be making a region of its own, which is bound before anything is carved.
void expect_bound_to(const control::Target& target, Mode mode) {
    ASSERT_FALSE(target.regions().empty());
    for (const control::RegionState& region : target.regions()) {
        if (region.carved == 0) continue;
        ASSERT_TRUE(region.bound.has_value());
        EXPECT_EQ(region.bound->policy.mode, mode);
        EXPECT_EQ(region.bound->policy.nodes, NodeMask::of(0));
        EXPECT_TRUE(region.bound->whole);
    }
}

TEST(RegionRow, TellsWhatIsBound) {
    Workbench bench;
    control::Target target = bench.attach();
    for (const control::RegionState& region : target.regions()) {
        EXPECT_FALSE(region.bound.has_value());
    }
    bench.set_all(target, bind_to({0}));
    bench.allocate(Workbench::kMain, size_t{3} << 30);  // A region of its own, made later.
    EXPECT_GE(target.regions().size(), 2U);
    expect_bound_to(target, Mode::kBind);
    bench.set_all(target, std::nullopt);
    for (const control::RegionState& region : target.regions()) {
        EXPECT_FALSE(region.bound.has_value());
    }
}

TEST(RegionRow, TellsTheSameInAForkedChild) {
    Workbench bench;
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({0}));
    const pid_t child = bench.fork();
    bench.call();
    const auto of_child = control::Target::attach(child, control::Access::kRead);
    ASSERT_TRUE(of_child.has_value()) << of_child.error().what;
    expect_bound_to(*of_child, Mode::kBind);
    EXPECT_GE(of_child->regions()[0].committed, of_child->regions()[0].carved);
    bench.leave();
}

TEST(RegionRow, TellsWhatIsCommitted) {
    Workbench bench;
    const control::Target target = bench.attach();
    const uint64_t before = target.regions().at(0).committed;
    bench.allocate(Workbench::kMain, size_t{64} << 20);
    const control::RegionState region = target.regions().at(0);
    EXPECT_GE(region.committed, before + (size_t{64} << 20));
    EXPECT_GE(region.committed, region.carved);
    EXPECT_LE(region.committed, region.carved + (size_t{2} << 20));
    EXPECT_EQ(region.committed % (size_t{2} << 20), 0U);
}

}  // namespace
}  // namespace mpol::test

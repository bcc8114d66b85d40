// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "policy/placement.h"

namespace mpol {
namespace {

const KernelWeights kEqual{};

NodeMask nodes(std::initializer_list<unsigned> list) {
    NodeMask mask;
    for (const unsigned node : list) mask.set(node);
    return mask;
}

TEST(Placement, InterleaveCountsPagesOverTheNodesOfTheMask) {
    const NodeMask mask = nodes({1, 3, 900});
    const int expected[] = {1, 3, 900, 1, 3, 900, 1};
    for (uint64_t index = 0; index < 7; ++index) {
        EXPECT_EQ(node_of_page(Mode::kInterleave, mask, index, kEqual), expected[index]);
    }
}

TEST(Placement, WeightsGiveEachNodeARunOfPages) {
    KernelWeights weights;
    weights.of[0] = 2;
    weights.of[2] = 3;  // node 5 has none: it counts as 1
    const NodeMask mask = nodes({0, 2, 5});
    const int expected[] = {0, 0, 2, 2, 2, 5, 0, 0};
    for (uint64_t index = 0; index < 8; ++index) {
        EXPECT_EQ(node_of_page(Mode::kWeightedInterleave, mask, index, weights), expected[index]);
        EXPECT_EQ(node_of_page(Mode::kInterleave, mask, 3 * index, weights), 0);
    }
}

TEST(Placement, OtherModesTakeAnyOfTheirNodes) {
    const NodeMask mask = nodes({1, 2});
    EXPECT_EQ(node_of_page(Mode::kBind, mask, 7, kEqual), kAnyNode);
    EXPECT_TRUE(is_placed(Mode::kBind, mask, 7, kEqual, 2));
    EXPECT_FALSE(is_placed(Mode::kBind, mask, 7, kEqual, 0));
    EXPECT_TRUE(is_placed(Mode::kPreferredMany, mask, 7, kEqual, 1));
    EXPECT_FALSE(is_placed(Mode::kPreferredMany, mask, 7, kEqual, 3));
    EXPECT_TRUE(is_placed(Mode::kPreferred, nodes({1}), 7, kEqual, 1));
    EXPECT_FALSE(is_placed(Mode::kPreferred, nodes({1}), 7, kEqual, 2));
    EXPECT_TRUE(is_placed(Mode::kLocal, {}, 7, kEqual, 3));
    EXPECT_TRUE(is_placed(Mode::kDefault, {}, 7, kEqual, 3));
}

}  // namespace
}  // namespace mpol

// SPDX-License-Identifier: Apache-2.0
// When the allowed nodes change, a node that goes takes its weight along and has it again when it
// comes back; where none is left, all allowed nodes have even shares.
#include <gtest/gtest.h>

#include "control/words.h"
#include "machine.h"
#include "policy/weights.h"

namespace mpol::test {
namespace {

Policy weighted() {
    return *parse_lenient("weighted interleave:0-3;weights=5,3,2,1", four_nodes());
}

std::vector<unsigned> list(const NodeWeights& weights) {
    std::vector<unsigned> out;
    for (unsigned i = 0; i < weights.count; ++i) {
        out.push_back(weights.nodes[i]);
        out.push_back(weights.weights[i]);
    }
    return out;
}

using List = std::vector<unsigned>;

}  // namespace

TEST(Weight, GoesAndComesBackWithItsNode) {
    const Policy policy = weighted();
    const NodeMask all = span(0, 3);
    const NodeMask some = rebind(policy, all, all, nodes({0, 2}));
    EXPECT_EQ(some, nodes({0, 2}));
    EXPECT_EQ(list(weights_in_force(policy, some)), (List{0, 5, 2, 2}));
    const NodeMask back = rebind(policy, some, nodes({0, 2}), all);
    EXPECT_EQ(list(weights_in_force(policy, back)), (List{0, 5, 1, 3, 2, 2, 3, 1}));
}

TEST(Weight, IsNobodysWhereOtherNodesStandIn) {
    const Policy policy = weighted();
    const NodeMask elsewhere = rebind(policy, span(0, 3), span(0, 3), nodes({4, 5}));
    EXPECT_EQ(elsewhere, nodes({4, 5}));
    EXPECT_EQ(weights_in_force(policy, elsewhere).count, 0);
    Policy plain = policy;
    plain.weight_source = WeightSource::kNone;
    EXPECT_EQ(weights_in_force(plain, span(0, 3)).count, 0);
}

TEST(Weight, SurvivesTheSegmentsWords) {
    Policy read;
    control::Origin origin;
    ASSERT_TRUE(control::decode(control::encode(weighted(), {}), read, origin));
    EXPECT_EQ(read, weighted());
}

TEST(Weight, ThatMakesNoSenseIsNoPolicy) {
    const auto refused = [](Policy policy) {
        Policy read;
        control::Origin origin;
        return !control::decode(control::encode(policy, {}), read, origin);
    };
    Policy zero = weighted();
    zero.weights[2] = 0;
    EXPECT_TRUE(refused(zero));
    Policy bind = weighted();
    bind.mode = Mode::kBind;
    EXPECT_TRUE(refused(bind));
    Policy relative = weighted();
    relative.flags = kRelativeNodes;
    EXPECT_TRUE(refused(relative));
    Policy many = weighted();
    many.nodes = NodeMask::first_nodes(kWeightedNodesMax + 1);
    std::fill(std::begin(many.weights), std::end(many.weights), uint8_t{1});
    EXPECT_TRUE(refused(many));
    many.nodes = NodeMask::first_nodes(kWeightedNodesMax);
    EXPECT_FALSE(refused(many));
    Policy nowhere = weighted();
    nowhere.nodes = {};
    EXPECT_TRUE(refused(nowhere));
}

TEST(Weight, OfNodesBeyondTheRoomForThemIsNobodys) {
    Policy many = weighted();
    many.nodes = NodeMask::first_nodes(kWeightedNodesMax + 1);
    std::fill(std::begin(many.weights), std::end(many.weights), uint8_t{1});
    const NodeWeights weights = weights_in_force(many, many.nodes);
    EXPECT_EQ(weights.count, kWeightedNodesMax);
    EXPECT_EQ(weights.total, kWeightedNodesMax);
    EXPECT_FALSE(weights_make_sense(many));
    many.nodes = NodeMask::first_nodes(kWeightedNodesMax);
    EXPECT_TRUE(weights_make_sense(many));
    many.weight_source = WeightSource::kNone;
    EXPECT_TRUE(weights_make_sense(many));
}

}  // namespace mpol::test

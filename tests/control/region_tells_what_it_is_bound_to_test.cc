// SPDX-License-Identifier: Apache-2.0
// The words of a region's rows say what was bound, whole, or say that they can't.
#include <gtest/gtest.h>

#include "control/bound.h"

namespace mpol::control {
namespace {

Bound round_trip(const Policy& policy, const NodeMask& effective) {
    Bound bound;
    EXPECT_TRUE(decode_bound(encode_bound(policy, effective), bound));
    return bound;
}

TEST(Bound, ModeFlagsHomeAndEffectiveNodesComeBack) {
    Policy policy;
    policy.mode = Mode::kBind;
    policy.flags = kStaticNodes | kNumaBalancing;
    policy.home_node = 901;
    policy.nodes = NodeMask::first_nodes(1000);
    NodeMask effective = NodeMask::of(896);
    effective.set(901);
    Bound bound = round_trip(policy, effective);
    EXPECT_TRUE(bound.whole);
    policy.nodes = effective;
    EXPECT_EQ(bound.policy, policy);
    policy.mode = Mode::kLocal;
    policy.home_node = kNoNode;
    policy.nodes = {};
    bound = round_trip(policy, {});
    EXPECT_TRUE(bound.whole);
    EXPECT_EQ(bound.policy, policy);
}

TEST(Bound, WeightsAreThoseOfTheNodesThatAreLeft) {
    Policy policy;
    policy.mode = Mode::kWeightedInterleave;
    policy.weight_source = WeightSource::kGiven;
    policy.nodes = NodeMask::first_nodes(4);
    for (unsigned i = 0; i < 4; ++i) policy.weights[i] = static_cast<uint8_t>(5 - i);
    NodeMask effective = NodeMask::of(1);
    effective.set(3);
    Bound bound = round_trip(policy, effective);
    EXPECT_EQ(bound.policy.weight_source, WeightSource::kGiven);
    EXPECT_EQ(bound.policy.weights[0], 4);
    EXPECT_EQ(bound.policy.weights[1], 2);
    EXPECT_EQ(bound.policy.weights[2], 0);
    bound = round_trip(policy, NodeMask::of(7));
    EXPECT_EQ(bound.policy.mode, Mode::kInterleave) << "others stand in, evenly";
    EXPECT_EQ(bound.policy.weight_source, WeightSource::kNone);

    BoundWords words = encode_bound(policy, effective);
    words.weights[0] = 4;  // None of node 3.
    EXPECT_FALSE(decode_bound(words, bound));
}

TEST(Bound, NodesFarApartAreSaidToBeIncomplete) {
    Policy policy;
    policy.mode = Mode::kInterleave;
    const Bound bound = round_trip(policy, NodeMask::first_nodes(65));
    EXPECT_FALSE(bound.whole);
    EXPECT_EQ(bound.policy.nodes, NodeMask::first_nodes(64));
}

TEST(Bound, WordsThatAreNoPolicyAreRefused) {
    Bound bound;
    Policy policy;
    policy.mode = Mode::kBind;
    const BoundWords good = encode_bound(policy, NodeMask::of(1));
    EXPECT_FALSE(decode_bound({}, bound));
    EXPECT_FALSE(decode_bound({good.bound & ~kBoundSet, good.nodes, {}}, bound));
    EXPECT_FALSE(decode_bound({good.bound | uint64_t{7} << 16, good.nodes, {}}, bound));  // mode
    EXPECT_FALSE(
        decode_bound({good.bound ^ uint64_t{1} << 47, good.nodes, {}}, bound));  // home node
    EXPECT_FALSE(decode_bound({good.bound | uint64_t{0xff} << 48, good.nodes, {}}, bound));  // word
}

}  // namespace
}  // namespace mpol::control

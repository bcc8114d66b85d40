// SPDX-License-Identifier: Apache-2.0
// The two words of a region's row say what was bound, whole, or say that they can't.
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
    EXPECT_FALSE(decode_bound({good.bound & ~kBoundSet, good.nodes}, bound));
    EXPECT_FALSE(decode_bound({good.bound | uint64_t{7} << 16, good.nodes}, bound));  // mode
    EXPECT_FALSE(decode_bound({good.bound ^ uint64_t{1} << 47, good.nodes}, bound));  // home node
    EXPECT_FALSE(decode_bound({good.bound | uint64_t{0xff} << 48, good.nodes}, bound));  // word
}

}  // namespace
}  // namespace mpol::control

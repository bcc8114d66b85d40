// SPDX-License-Identifier: Apache-2.0
// Shared by the tests of weights of one's own.
#pragma once

#include "placement.h"
#include "policy/policy.h"

namespace mpol::test {

inline constexpr size_t kGib = size_t{1} << 30;

// Of nodes 0, 1, ...
inline Policy weighted(std::initializer_list<unsigned> weights,
                       WeightSource source = WeightSource::kGiven) {
    Policy policy;
    policy.mode = Mode::kWeightedInterleave;
    policy.weight_source = source;
    policy.nodes = NodeMask::first_nodes(static_cast<unsigned>(weights.size()));
    unsigned i = 0;
    for (const unsigned weight : weights) policy.weights[i++] = static_cast<uint8_t>(weight);
    return policy;
}

// Each node's share within part of what its weight says.
inline void expect_shares(const Nodes& nodes, const Policy& policy, double part) {
    double sum = 0;
    for (const uint8_t weight : policy.weights) sum += weight;
    unsigned i = 0;
    for (unsigned node = policy.nodes.first(); node < kMaxNodes;
         node = policy.nodes.next(node + 1)) {
        const double due = static_cast<double>(total(nodes)) * policy.weights[i++] / sum;
        const auto found = nodes.find(static_cast<int>(node));
        const double have = found == nodes.end() ? 0 : static_cast<double>(found->second);
        EXPECT_NEAR(have, due, due * part) << "node " << node << " of " << nodes;
    }
    EXPECT_TRUE(only_on(nodes, policy.nodes)) << nodes;
    std::cout << nodes << std::endl;
}

}  // namespace mpol::test

// SPDX-License-Identifier: Apache-2.0
#include "policy/text.h"

#include <algorithm>

#include "policy/format.h"
#include "policy/weights.h"

namespace mpol {

std::string nodes_text(const NodeMask& nodes) {
    char buf[kPolicyTextBytesMax];
    const size_t length = format_nodes(nodes, buf, sizeof buf);
    return std::string(buf, length);
}

std::string kernel_text(const Policy& policy, const NodeMask& nodes) {
    char buf[kPolicyTextBytesMax];
    const size_t length = format_policy(policy, nodes, buf, sizeof buf);
    return std::string(buf, length);
}

std::string weights_text(const Policy& policy) {
    std::string text;
    const unsigned count = std::min(policy.nodes.weight(), kWeightedNodesMax);
    for (unsigned i = 0; i < count; ++i) {
        if (i > 0) text += ',';
        text += std::to_string(policy.weights[i]);
    }
    return text;
}

std::string policy_text(const Policy& policy) {
    std::string text = kernel_text(policy, policy.nodes);
    if (policy.home_node != kNoNode) text += ";home=" + std::to_string(policy.home_node);
    if (has_own_weights(policy)) text += ";weights=" + weights_text(policy);
    return text;
}

}  // namespace mpol

// SPDX-License-Identifier: Apache-2.0
#include "policy/text.h"

#include "policy/format.h"

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

std::string policy_text(const Policy& policy) {
    std::string text = kernel_text(policy, policy.nodes);
    if (policy.home_node != kNoNode) text += ";home=" + std::to_string(policy.home_node);
    return text;
}

}  // namespace mpol

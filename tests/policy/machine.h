// SPDX-License-Identifier: Apache-2.0
// Shared by the policy tests: short spellings of node sets and of the four-node machine on which
// the kernel's answers were recorded.
#pragma once

#include <initializer_list>

#include "policy/parse.h"

namespace mpol::test {

inline NodeMask nodes(std::initializer_list<unsigned> list) {
    NodeMask mask;
    for (const unsigned node : list) mask.set(node);
    return mask;
}

// Nodes first..last.
inline NodeMask span(unsigned first, unsigned last) {
    return NodeMask::first_nodes(last + 1) - NodeMask::first_nodes(first);
}

// Nodes 0-3 have memory, all are allowed, newest kernel.
inline ParseContext four_nodes() {
    ParseContext context;
    context.has_memory = span(0, 3);
    return context;
}

inline Policy policy(Mode mode, unsigned flags, const NodeMask& mask, int32_t home_node = kNoNode) {
    Policy result;
    result.mode = mode;
    result.flags = static_cast<uint16_t>(flags);
    result.nodes = mask;
    result.home_node = home_node;
    return result;
}

}  // namespace mpol::test

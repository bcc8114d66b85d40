// SPDX-License-Identifier: Apache-2.0
// Weights of one's own: which node has which, and the rule by which the kernel derives weights from
// bandwidths. A weight belongs to its node's number: where the allowed nodes change, a node that
// goes takes its weight along and a node that comes back has it again, as with static nodes. Pure
// values: no allocation, no system call, async-signal-safe.
#pragma once

#include <cstdint>
#include <numeric>

#include "policy/placement.h"
#include "policy/policy.h"

namespace mpol {

[[nodiscard]] constexpr bool has_own_weights(const Policy& policy) {
    return policy.weight_source != WeightSource::kNone;
}

// False: weights with another mode or with relative nodes, for more nodes than there is room for,
// or a node's weight is 0. Bytes beyond the nodes don't count.
[[nodiscard]] constexpr bool weights_make_sense(const Policy& policy) {
    if (!has_own_weights(policy)) return true;
    const unsigned count = policy.nodes.weight();
    if (policy.mode != Mode::kWeightedInterleave || (policy.flags & kRelativeNodes) != 0)
        return false;
    if (count == 0 || count > kWeightedNodesMax) return false;
    for (unsigned i = 0; i < count; ++i) {
        if (policy.weights[i] == 0) return false;
    }
    return true;
}

struct NodeWeights {
    unsigned count = 0;  // 0: the policy has none that could be followed
    unsigned total = 0;
    uint16_t nodes[kWeightedNodesMax]{};  // ascending
    uint8_t weights[kWeightedNodesMax]{};
};

// The weights of the effective nodes. None where the policy names no weight for one of them: its
// own nodes are all out of bounds, and others stand in.
[[nodiscard]] constexpr NodeWeights weights_in_force(const Policy& policy,
                                                     const NodeMask& effective) {
    NodeWeights out;
    if (!has_own_weights(policy) || !effective.subset_of(policy.nodes)) return out;
    unsigned ordinal = 0;
    for (unsigned node = policy.nodes.first(); node < kMaxNodes && ordinal < kWeightedNodesMax;
         node = policy.nodes.next(node + 1), ++ordinal) {
        if (!effective.test(node)) continue;
        out.nodes[out.count] = static_cast<uint16_t>(node);
        out.weights[out.count++] = policy.weights[ordinal];
        out.total += policy.weights[ordinal];
    }
    return out;
}

// Of each node, the lesser of its read and its write bandwidth from the nearest processors; 0: not
// known.
struct Bandwidths {
    uint32_t of[kMaxNodes]{};
};

// The rule of Linux 6.16, mm/mempolicy.c reduce_interleave_weights(): a node's part of 32, rounded
// down and at least 1, then all divided by what divides all. 1 for a node whose bandwidth isn't
// known. The arithmetic wraps where the kernel's does.
[[nodiscard]] constexpr KernelWeights weights_of_bandwidths(const NodeMask& has_memory,
                                                            const Bandwidths& bandwidths) {
    constexpr uint32_t kWeightiness = 32;
    KernelWeights out;
    uint64_t sum = 0;
    for (unsigned node = has_memory.first(); node < kMaxNodes; node = has_memory.next(node + 1)) {
        sum += bandwidths.of[node];
    }
    unsigned divisor = 0;
    for (unsigned node = has_memory.first(); node < kMaxNodes; node = has_memory.next(node + 1)) {
        const uint32_t scaled = kWeightiness * bandwidths.of[node];
        out.of[node] = sum < scaled ? static_cast<uint8_t>(scaled / static_cast<uint32_t>(sum)) : 1;
        divisor = std::gcd(divisor, unsigned{out.of[node]});
    }
    for (unsigned node = has_memory.first(); node < kMaxNodes; node = has_memory.next(node + 1)) {
        out.of[node] = static_cast<uint8_t>(out.of[node] / divisor);
    }
    return out;
}

}  // namespace mpol

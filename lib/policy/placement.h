// SPDX-License-Identifier: Apache-2.0
// Where a page belongs under a policy that is bound to its range: what linux mm/mempolicy.c
// interleave_nid and weighted_interleave_nid work out when the page is faulted.
// Pure values: no allocation, no system call, async-signal-safe.
#pragma once

#include <cstdint>

#include "policy/policy.h"

namespace mpol {

// Any of the policy's effective nodes will do, or any at all where it has none (local, default).
inline constexpr int kAnyNode = -1;

// The table of /sys/kernel/mm/mempolicy/weighted_interleave, by node; 0 counts as 1.
struct KernelWeights {
    uint8_t of[kMaxNodes]{};

    friend constexpr bool operator==(const KernelWeights&, const KernelWeights&) = default;
};

// index: the page's address over its own size, a huge page's over the huge page size. The same for
// every mapping of private anonymous memory, because its vm_pgoff is its address.
[[nodiscard]] constexpr int node_of_page(Mode mode, const NodeMask& effective, uint64_t index,
                                         const KernelWeights& weights) {
    if (effective.empty()) return kAnyNode;
    if (mode == Mode::kPreferred) return static_cast<int>(effective.first());
    if (mode != Mode::kInterleave && mode != Mode::kWeightedInterleave) return kAnyNode;
    const auto weight_of = [&](unsigned node) -> uint64_t {
        return mode == Mode::kInterleave || weights.of[node] == 0 ? 1 : weights.of[node];
    };
    uint64_t total = 0;
    for (unsigned node = effective.first(); node < kMaxNodes; node = effective.next(node + 1)) {
        total += weight_of(node);
    }
    uint64_t left = index % total;
    unsigned node = effective.first();
    while (left >= weight_of(node)) {
        left -= weight_of(node);
        node = effective.next(node + 1);
    }
    return static_cast<int>(node);
}

// Whether a page that lies on node is where it belongs.
[[nodiscard]] constexpr bool is_placed(Mode mode, const NodeMask& effective, uint64_t index,
                                       const KernelWeights& weights, unsigned node) {
    const int home = node_of_page(mode, effective, index, weights);
    if (home != kAnyNode) return node == static_cast<unsigned>(home);
    return effective.empty() || effective.test(node);
}

}  // namespace mpol

// SPDX-License-Identifier: Apache-2.0
// What a region is bound to, as words of its rows: the kernel's mode word, the home node, the
// effective nodes of one word of the mask, and their weights where the scope has its own. A mask
// that spans several (more than 64 nodes apart) is told to be incomplete; on machines of today it
// is whole.
//
//   bound:  0 set | 1 incomplete | 2 changing | 3 own weights | 16-31 mode word | 32-47 home node
//           (int16) | 48-55 mask word's index | 56-63 enum mpol_ctl_weights
//   bound_nodes: that word of the mask          weights: a byte for each node in it
//
// Pure; never allocates; async-signal-safe.
#pragma once

#include <cstdint>

#include "policy/policy.h"
#include "policy/weights.h"

namespace mpol::control {

inline constexpr uint64_t kBoundSet = 1;
inline constexpr uint64_t kBoundIncomplete = 2;
inline constexpr uint64_t kBoundChanging = 4;    // the words don't belong together now
inline constexpr uint64_t kBoundOwnWeights = 8;  // they are in its weight row

inline constexpr unsigned kBoundWeightWords = kWeightedNodesMax / 8;

struct BoundWords {
    uint64_t bound = 0;
    uint64_t nodes = 0;
    uint64_t weights[kBoundWeightWords]{};
};

// A region's policy with its effective nodes in place of the user's.
struct Bound {
    Policy policy{};
    bool whole = true;  // false: policy.nodes lacks some
};

[[nodiscard]] inline BoundWords encode_bound(const Policy& policy, const NodeMask& effective) {
    const unsigned index = effective.empty() ? 0 : effective.first() / 64;
    const bool whole = effective.end() <= (index + 1) * 64;
    const NodeWeights weights = weights_in_force(policy, effective);
    // Where its own nodes are all out of bounds, the others stand in, evenly.
    const Mode mode =
        has_own_weights(policy) && weights.count == 0 ? Mode::kInterleave : policy.mode;
    const auto source = weights.count != 0 ? static_cast<uint64_t>(policy.weight_source) : 0;
    BoundWords out;
    out.bound =
        kBoundSet | (whole ? 0 : kBoundIncomplete) | (weights.count != 0 ? kBoundOwnWeights : 0) |
        static_cast<uint64_t>(static_cast<uint16_t>(static_cast<int>(mode) | policy.flags)) << 16 |
        static_cast<uint64_t>(static_cast<uint16_t>(policy.home_node)) << 32 |
        static_cast<uint64_t>(index) << 48 | source << 56;
    out.nodes = effective.words[index];
    for (unsigned i = 0; i < weights.count; ++i) {
        out.weights[i / 8] |= static_cast<uint64_t>(weights.weights[i]) << (i % 8 * 8);
    }
    return out;
}

// False: nothing is bound, or the words are no policy.
[[nodiscard]] inline bool decode_bound(const BoundWords& words, Bound& ret_bound) {
    const auto mode_word = static_cast<uint16_t>(words.bound >> 16);
    const auto mode = static_cast<uint8_t>(mode_word & ~kModeFlags);
    const auto home = static_cast<int16_t>(words.bound >> 32);
    const auto index = static_cast<uint8_t>(words.bound >> 48);
    if ((words.bound & kBoundSet) == 0 ||
        (mode_word & ~kModeFlags) >= static_cast<int>(kModeCount) || home < kNoNode ||
        home >= static_cast<int32_t>(kMaxNodes) || index >= kNodeWords) {
        return false;
    }
    ret_bound = {};
    ret_bound.policy.mode = static_cast<Mode>(mode);
    ret_bound.policy.flags = mode_word & kModeFlags;
    ret_bound.policy.home_node = home;
    ret_bound.policy.nodes.words[index] = words.nodes;
    ret_bound.whole = (words.bound & kBoundIncomplete) == 0;
    if ((words.bound & kBoundOwnWeights) == 0) return true;
    const auto source = static_cast<uint8_t>(words.bound >> 56);
    if (source > static_cast<uint8_t>(WeightSource::kSystem)) return false;
    ret_bound.policy.weight_source = static_cast<WeightSource>(source);
    for (unsigned i = 0; i < kWeightedNodesMax; ++i) {
        ret_bound.policy.weights[i] = static_cast<uint8_t>(words.weights[i / 8] >> (i % 8 * 8));
    }
    return weights_make_sense(ret_bound.policy);
}

}  // namespace mpol::control

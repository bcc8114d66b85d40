// SPDX-License-Identifier: Apache-2.0
// A set of NUMA nodes and the kernel's operations on it (linux include/linux/nodemask.h).
// Pure values: no allocation, no system call, async-signal-safe; usable inside the preloaded
// library, so only the parts of the standard library that need no runtime are used.
#pragma once

#include <bit>
#include <cstdint>

namespace mpol {

// CONFIG_NODES_SHIFT is at most 10: MAX_NUMNODES of every kernel fits.
inline constexpr unsigned kMaxNodes = 1024;
inline constexpr unsigned kNodeWords = kMaxNodes / 64;

struct NodeMask {
    uint64_t words[kNodeWords]{};

    [[nodiscard]] static constexpr NodeMask of(unsigned node) {
        NodeMask mask;
        mask.set(node);
        return mask;
    }

    // Nodes [0, count).
    [[nodiscard]] static constexpr NodeMask first_nodes(unsigned count) {
        NodeMask mask;
        for (unsigned node = 0; node < count; ++node) mask.set(node);
        return mask;
    }

    // Precondition of set, clear: node < kMaxNodes.
    constexpr void set(unsigned node) { words[node / 64] |= uint64_t{1} << (node % 64); }
    constexpr void clear(unsigned node) { words[node / 64] &= ~(uint64_t{1} << (node % 64)); }

    // False for node >= kMaxNodes.
    [[nodiscard]] constexpr bool test(unsigned node) const {
        return node < kMaxNodes && (words[node / 64] >> (node % 64) & 1) != 0;
    }

    [[nodiscard]] constexpr bool empty() const {
        for (uint64_t word : words) {
            if (word != 0) return false;
        }
        return true;
    }

    // Number of nodes in the set.
    [[nodiscard]] constexpr unsigned weight() const {
        unsigned count = 0;
        for (uint64_t word : words) count += static_cast<unsigned>(std::popcount(word));
        return count;
    }

    // The lowest node >= from, kMaxNodes when there is none.
    [[nodiscard]] constexpr unsigned next(unsigned from) const {
        for (unsigned index = from / 64; index < kNodeWords; ++index) {
            uint64_t word = words[index];
            if (index == from / 64) word &= ~uint64_t{0} << (from % 64);
            if (word != 0) return index * 64 + static_cast<unsigned>(std::countr_zero(word));
        }
        return kMaxNodes;
    }

    [[nodiscard]] constexpr unsigned first() const { return next(0); }

    // One more than the highest node, 0 for the empty set.
    [[nodiscard]] constexpr unsigned end() const {
        for (unsigned index = kNodeWords; index-- > 0;) {
            if (words[index] != 0) {
                return (index + 1) * 64 - static_cast<unsigned>(std::countl_zero(words[index]));
            }
        }
        return 0;
    }

    [[nodiscard]] constexpr bool subset_of(const NodeMask& other) const {
        for (unsigned index = 0; index < kNodeWords; ++index) {
            if ((words[index] & ~other.words[index]) != 0) return false;
        }
        return true;
    }

    friend constexpr bool operator==(const NodeMask&, const NodeMask&) = default;

    friend constexpr NodeMask operator&(NodeMask a, const NodeMask& b) {
        for (unsigned index = 0; index < kNodeWords; ++index) a.words[index] &= b.words[index];
        return a;
    }
    friend constexpr NodeMask operator|(NodeMask a, const NodeMask& b) {
        for (unsigned index = 0; index < kNodeWords; ++index) a.words[index] |= b.words[index];
        return a;
    }
    // Set difference.
    friend constexpr NodeMask operator-(NodeMask a, const NodeMask& b) {
        for (unsigned index = 0; index < kNodeWords; ++index) a.words[index] &= ~b.words[index];
        return a;
    }
};

// nodes_fold: bit i goes to bit i mod size. Precondition: size > 0.
[[nodiscard]] constexpr NodeMask fold(const NodeMask& mask, unsigned size) {
    NodeMask folded;
    for (unsigned node = mask.first(); node < kMaxNodes; node = mask.next(node + 1)) {
        folded.set(node % size);
    }
    return folded;
}

// nodes_onto: bit i goes to the i-th node of relative_to; bits beyond its weight are dropped.
[[nodiscard]] constexpr NodeMask onto(const NodeMask& mask, const NodeMask& relative_to) {
    NodeMask result;
    unsigned ordinal = 0;
    for (unsigned node = relative_to.first(); node < kMaxNodes; node = relative_to.next(node + 1)) {
        if (mask.test(ordinal++)) result.set(node);
    }
    return result;
}

// nodes_remap: the node with ordinal i in from goes to the (i mod weight(to))-th node of to; nodes
// that are not in from stay. An empty to leaves everything where it is.
[[nodiscard]] constexpr NodeMask remap(const NodeMask& mask, const NodeMask& from,
                                       const NodeMask& to) {
    const unsigned width = to.weight();
    if (width == 0) return mask;
    NodeMask result;
    unsigned ordinal = 0;
    for (unsigned node = 0; node < kMaxNodes; ++node) {
        const bool known = from.test(node);
        if (mask.test(node)) {
            if (known) {
                unsigned target = to.first();
                for (unsigned step = ordinal % width; step > 0; --step) {
                    target = to.next(target + 1);
                }
                result.set(target);
            } else {
                result.set(node);
            }
        }
        if (known) ++ordinal;
    }
    return result;
}

}  // namespace mpol

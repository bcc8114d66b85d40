// SPDX-License-Identifier: Apache-2.0
// One period of stretches.h, and what is put after one another there. For stretches.cc only. Pure;
// never allocates; async-signal-safe.
#pragma once

#include <algorithm>

#include "policy/stretches.h"

namespace mpol::stretches {

// Granules for each of the nodes that have weights.
using Amounts = uint64_t[kWeightedNodesMax];

// Joins neighbours that have the same nodes, and ends where the range does, or after most
// stretches.
class Emitter {
  public:
    Emitter(uint64_t start, uint64_t size, uint32_t most, StretchVisitor* visit, void* context)
        : at_(start), end_(start + size), most_(most), visit_(visit), context_(context) {}
    ~Emitter() { flush(); }
    Emitter(const Emitter&) = delete;
    Emitter& operator=(const Emitter&) = delete;

    void put(const NodeMask& nodes, uint64_t bytes) {
        if (bytes == 0) return;
        if (pending_.size != 0 && pending_.nodes != nodes) flush();
        bytes = std::min(bytes, end_ - at_);
        if (bytes == 0) return;
        if (pending_.size == 0) pending_ = {at_, 0, nodes};
        pending_.size += bytes;
        at_ += bytes;
    }

    [[nodiscard]] uint64_t left() const { return end_ - at_; }

  private:
    void flush() {
        if (pending_.size == 0) return;
        if (most_ == 0) {
            at_ = end_;
        } else {
            --most_;
            visit_(context_, pending_);
        }
        pending_.size = 0;
    }

    uint64_t at_;
    uint64_t end_;
    uint32_t most_;
    StretchVisitor* visit_;
    void* context_;
    Stretch pending_;
};

// Level j of amounts: each node that has more than borders[j] gets borders[j + 1] - borders[j].
struct Levels {
    uint64_t borders[kWeightedNodesMax + 1]{};
    unsigned count = 0;
};

inline Levels levels_of(const NodeWeights& weights, const Amounts& amounts) {
    Levels levels;
    for (;;) {
        uint64_t next = ~uint64_t{0};
        for (unsigned i = 0; i < weights.count; ++i) {
            if (amounts[i] > levels.borders[levels.count]) next = std::min(next, amounts[i]);
        }
        if (next == ~uint64_t{0}) return levels;
        levels.borders[++levels.count] = next;
    }
}

inline NodeMask nodes_above(const NodeWeights& weights, const Amounts& amounts, uint64_t border) {
    NodeMask nodes;
    for (unsigned i = 0; i < weights.count; ++i) {
        if (amounts[i] > border) nodes.set(weights.nodes[i]);
    }
    return nodes;
}

// One period's amounts, level by level.
class Period {
  public:
    // Both outlive it.
    Period(const NodeWeights& weights, const Amounts& amounts)
        : weights_(weights), amounts_(amounts), levels_(levels_of(weights, amounts)) {}

    // The node of the least weight is only in the first level, which therefore is given in two
    // halves with the other levels between them and around them, as near to half of these as whole
    // levels come: so that node is ahead or behind by a quarter of what a period owes it. What is
    // around them begins in its middle, and joins that of the neighbouring periods.
    void put(Emitter& out, unsigned granule_shift) const {
        if (levels_.count == 0) return;
        const uint64_t others = granules(1, levels_.count);
        unsigned split = std::min(2U, levels_.count);
        while (split < levels_.count && granules(1, split) + granules(1, split + 1) <= others)
            ++split;
        const uint64_t around = granules(split, levels_.count);
        const uint64_t middle = middle_of(split, around);
        const uint64_t half = each_of(0) / 2;
        const auto put_level = [&](unsigned level, uint64_t each) {
            out.put(nodes_of(level), (each * width_of(level)) << granule_shift);
        };
        // Of the levels from first on, the granules from begin to end; a cut is as many of each
        // node.
        const auto put_levels = [&](unsigned first, uint64_t begin, uint64_t end) {
            for (unsigned level = first; level < levels_.count && end > 0; ++level) {
                const uint64_t width = width_of(level);
                const uint64_t size = each_of(level) * width;
                put_level(level, std::min(end, size) / width - std::min(begin, size) / width);
                begin -= std::min(begin, size);
                end -= std::min(end, size);
            }
        };
        put_levels(split, middle, around);
        put_level(0, half);
        put_levels(1, 0, others - around);
        put_level(0, each_of(0) - half);
        put_levels(split, 0, middle);
    }

  private:
    [[nodiscard]] uint64_t each_of(unsigned level) const {
        return levels_.borders[level + 1] - levels_.borders[level];
    }
    [[nodiscard]] NodeMask nodes_of(unsigned level) const {
        return nodes_above(weights_, amounts_, levels_.borders[level]);
    }
    [[nodiscard]] uint64_t width_of(unsigned level) const { return nodes_of(level).weight(); }
    [[nodiscard]] uint64_t granules(unsigned first, unsigned last) const {
        uint64_t sum = 0;
        for (unsigned level = first; level < last; ++level) sum += each_of(level) * width_of(level);
        return sum;
    }
    // Of the levels from first on, which have so many granules: where two levels meet, if that is
    // near, so that all periods are cut in the same place however they are rounded.
    [[nodiscard]] uint64_t middle_of(unsigned first, uint64_t sum) const {
        const uint64_t near = sum / 8;
        uint64_t end = 0;
        for (unsigned level = first; level < levels_.count; ++level) {
            end += each_of(level) * width_of(level);
            if (end + near >= sum / 2 && end <= sum / 2 + near) return end;
        }
        return sum / 2;
    }
    const NodeWeights& weights_;
    const Amounts& amounts_;
    const Levels levels_;
};

}  // namespace mpol::stretches

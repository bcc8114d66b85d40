// SPDX-License-Identifier: Apache-2.0
#include "policy/stretches.h"

#include <algorithm>

namespace mpol {
namespace {

constexpr uint64_t kFrame = uint64_t{1} << 30;
constexpr unsigned kAreaPagesShift = kHugePageShift - kPageShift;
// A frame has at least so many periods, or is made longer.
constexpr uint64_t kPeriodsMin = 2;
// What the fine end of each frame may take of its mappings.
constexpr uint64_t kFineShare = 4;
// No region is larger: user addresses have 47 bits.
constexpr uint64_t kRangeBytesMax = uint64_t{1} << 47;

using Amounts = uint64_t[kWeightedNodesMax];

// Joins neighbours that have the same nodes, and ends where the range does.
class Emitter {
  public:
    Emitter(uint64_t start, uint64_t size, StretchVisitor* visit, void* context)
        : at_(start), end_(start + size), visit_(visit), context_(context) {}
    ~Emitter() { flush(); }
    Emitter(const Emitter&) = delete;
    Emitter& operator=(const Emitter&) = delete;

    void put(const NodeMask& nodes, uint64_t bytes) {
        bytes = std::min(bytes, end_ - at_);
        if (bytes == 0) return;
        if (pending_.size != 0 && pending_.nodes != nodes) flush();
        if (pending_.size == 0) pending_ = {at_, 0, nodes};
        pending_.size += bytes;
        at_ += bytes;
    }

    [[nodiscard]] uint64_t left() const { return end_ - at_; }

  private:
    void flush() {
        if (pending_.size != 0) visit_(context_, pending_);
        pending_.size = 0;
    }

    uint64_t at_;
    uint64_t end_;
    StretchVisitor* visit_;
    void* context_;
    Stretch pending_;
};

struct Plan {
    uint64_t frame = kFrame;
    uint64_t periods = 1;
    bool fine = false;
};

unsigned distinct_weights(const NodeWeights& weights) {
    unsigned count = 0;
    for (unsigned i = 0; i < weights.count; ++i) {
        const uint8_t* const end = weights.weights + i;
        if (std::find(weights.weights, end, *end) == end) ++count;
    }
    return count;
}

bool make_plan(const NodeWeights& weights, const StretchLayout& layout, uint64_t size,
               Plan& ret_plan) {
    const uint64_t levels = distinct_weights(weights);
    const auto mappings_of = [&](uint64_t frame) {
        return layout.mappings / ((size + frame - 1) / frame);
    };
    // The level that a period cuts, and what is put after the last period.
    constexpr uint64_t kExtra = 2;
    Plan plan;
    while (mappings_of(plan.frame) < kPeriodsMin * levels + kExtra && plan.frame < size) {
        plan.frame <<= 1;
    }
    const uint64_t mappings = mappings_of(plan.frame);
    if (mappings < levels + kExtra) return false;
    // Each node but the last may leave up to one huge page.
    const uint64_t fine_cost = (weights.count - 1) * levels;
    plan.fine = layout.granule_shift == kHugePageShift && fine_cost * kFineShare <= mappings;
    plan.periods = (mappings - kExtra - (plan.fine ? fine_cost : 0)) / levels;
    ret_plan = plan;
    return true;
}

// A node that still lacks something, and how much: in parts of a granule, NodeWeights::total to
// one.
using Owed = int64_t[kWeightedNodesMax];

// Level j of amounts: each node that has more than borders[j] gets borders[j + 1] - borders[j].
struct Levels {
    uint64_t borders[kWeightedNodesMax + 1]{};
    unsigned count = 0;
};

Levels levels_of(const NodeWeights& weights, const Amounts& amounts) {
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

NodeMask nodes_above(const NodeWeights& weights, const Amounts& amounts, uint64_t border) {
    NodeMask nodes;
    for (unsigned i = 0; i < weights.count; ++i) {
        if (amounts[i] > border) nodes.set(weights.nodes[i]);
    }
    return nodes;
}

// Half of what is not the first level's comes before it, so that the node of the least weight is
// never ahead or behind by more than half a period. The level that is cut joins the next period's
// other part.
void put_period(Emitter& out, const NodeWeights& weights, const Amounts& amounts,
                unsigned granule_shift) {
    const Levels levels = levels_of(weights, amounts);
    if (levels.count == 0) return;
    const auto put = [&](unsigned level, uint64_t each) {
        const NodeMask nodes = nodes_above(weights, amounts, levels.borders[level]);
        out.put(nodes, (each * nodes.weight()) << granule_shift);
    };
    const auto each_of = [&](unsigned level) {
        return levels.borders[level + 1] - levels.borders[level];
    };
    uint64_t before = 0;
    for (unsigned i = 0; i < weights.count; ++i)
        before += amounts[i] - std::min(amounts[i], each_of(0));
    before /= 2;
    unsigned cut = levels.count - 1;
    uint64_t cut_each = 0;
    for (; cut > 0; --cut) {
        const uint64_t width = nodes_above(weights, amounts, levels.borders[cut]).weight();
        cut_each = std::min(before / width, each_of(cut));
        before -= cut_each * width;
        if (cut_each < each_of(cut)) break;
    }
    if (cut > 0) put(cut, cut_each);
    for (unsigned level = cut + 1; level < levels.count; ++level) put(level, each_of(level));
    for (unsigned level = 0; level < cut; ++level) put(level, each_of(level));
    put(cut, each_of(cut) - (cut > 0 ? cut_each : 0));
}

// The left huge pages, each in parts of what the nodes are owed; no part has room for a huge page.
void put_fine(Emitter& out, const NodeWeights& weights, Owed& owed, uint64_t left) {
    Amounts amounts{};
    for (unsigned i = 0; i < weights.count; ++i) amounts[i] = static_cast<uint64_t>(owed[i]);
    const uint64_t sum = left * weights.total;
    const Levels levels = levels_of(weights, amounts);
    for (uint64_t area = 0; area < left; ++area) {
        uint64_t done = 0;
        uint64_t pages = 0;
        for (unsigned level = 0; level < levels.count; ++level) {
            const NodeMask nodes = nodes_above(weights, amounts, levels.borders[level]);
            done += (levels.borders[level + 1] - levels.borders[level]) * nodes.weight();
            const uint64_t border = ((done << kAreaPagesShift) + sum / 2) / sum;
            out.put(nodes, (border - pages) << kPageShift);
            pages = border;
        }
    }
    std::fill_n(owed, weights.count, 0);
}

// The left granules, one to each of the nodes that are owed most.
void put_rest(Emitter& out, const NodeWeights& weights, Owed& owed, uint64_t left,
              unsigned granule_shift) {
    NodeMask nodes;
    for (uint64_t i = 0; i < left; ++i) {
        int64_t* const most = std::max_element(owed, owed + weights.count);
        nodes.set(weights.nodes[most - owed]);
        *most -= weights.total;
    }
    out.put(nodes, left << granule_shift);
}

// Whole granules of a frame for each node, the same for the same weights; what remains is owed.
// Returns the granules that are left.
uint64_t share_out(const NodeWeights& weights, uint64_t granules, Amounts& ret_whole, Owed& owed) {
    uint64_t left = granules;
    for (unsigned i = 0; i < weights.count; ++i) {
        ret_whole[i] = granules * weights.weights[i] / weights.total;
        owed[i] += static_cast<int64_t>(granules * weights.weights[i] % weights.total);
        left -= ret_whole[i];
    }
    return left;
}

void put_frame(Emitter& out, const NodeWeights& weights, const Plan& plan, unsigned granule_shift,
               uint64_t bytes, Owed& owed) {
    Amounts whole{};
    const uint64_t left = share_out(weights, bytes >> granule_shift, whole, owed);
    const uint64_t periods =
        std::max<uint64_t>(plan.periods * (bytes >> kPageShift) / (plan.frame >> kPageShift), 1);
    Amounts given{};
    for (uint64_t period = 1; period <= periods; ++period) {
        Amounts amounts{};
        for (unsigned i = 0; i < weights.count; ++i) {
            const uint64_t due = (period * whole[i] + periods / 2) / periods;
            amounts[i] = due - given[i];
            given[i] = due;
        }
        put_period(out, weights, amounts, granule_shift);
    }
    if (plan.fine) {
        put_fine(out, weights, owed, left);
    } else {
        put_rest(out, weights, owed, left, granule_shift);
    }
}

void put_range(Emitter& out, const NodeWeights& weights, const Plan& plan, uint64_t start,
               unsigned granule_shift) {
    NodeMask all;
    for (unsigned i = 0; i < weights.count; ++i) all.set(weights.nodes[i]);
    const uint64_t granule = uint64_t{1} << granule_shift;
    // Both ends of a range that is not made of whole granules.
    out.put(all, -start & (granule - 1));
    Owed owed{};
    while (out.left() >= granule) {
        const uint64_t bytes = std::min(plan.frame, out.left()) & ~(granule - 1);
        put_frame(out, weights, plan, granule_shift, bytes, owed);
    }
    out.put(all, out.left());
}

uint32_t count_stretches(const NodeWeights& weights, const Plan& plan, uint64_t start,
                         uint64_t size, unsigned granule_shift) {
    uint32_t count = 0;
    const auto visit = [](void* context, const Stretch&) { ++*static_cast<uint32_t*>(context); };
    {
        Emitter out(start, size, visit, &count);
        put_range(out, weights, plan, start, granule_shift);
    }
    return count;
}

}  // namespace

uint32_t mappings_for(uint64_t heap_offset, uint64_t size) {
    constexpr uint64_t kGib = uint64_t{1} << 30;
    constexpr unsigned kFractionBits = 8;
    uint64_t sum = 0;
    const uint64_t end = heap_offset + size;
    for (uint64_t at = heap_offset; at < end;) {
        const uint64_t gib = at / kGib + 1;
        const uint64_t part = std::min(gib * kGib, end) - at;
        sum +=
            ((part >> kPageShift) * kMappingsPerGib << kFractionBits) / (gib * kGib >> kPageShift);
        at += part;
    }
    return std::max(static_cast<uint32_t>(std::min<uint64_t>(sum >> kFractionBits, kMappingsMax)),
                    kMappingsMin);
}

bool visit_stretches(const NodeWeights& weights, const StretchLayout& layout, uint64_t start,
                     uint64_t size, StretchVisitor* visit, void* context) {
    const unsigned shift = layout.granule_shift;
    Plan plan;
    if (weights.count == 0 || size > kRangeBytesMax) return false;
    if (!make_plan(weights, layout, size, plan)) return false;
    // Where periods are cut at different levels, there is a stretch more between them.
    while (count_stretches(weights, plan, start, size, shift) > layout.mappings) {
        if (plan.periods == 1) return false;
        plan.periods -= (plan.periods + 7) / 8;
    }
    Emitter out(start, size, visit, context);
    put_range(out, weights, plan, start, shift);
    return true;
}

}  // namespace mpol

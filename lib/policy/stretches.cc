// SPDX-License-Identifier: Apache-2.0
#include "policy/stretches.h"

#include <algorithm>
#include <bit>
#include <numeric>

#include "policy/stretch_period.h"

namespace mpol {
namespace {

using namespace stretches;

constexpr unsigned kAreaPagesShift = kHugePageShift - kPageShift;
// What the fine end of each frame may take of its mappings.
constexpr uint64_t kFineShare = 3;
// No region is larger: user addresses have 47 bits.
constexpr unsigned kRangeShiftMax = 47;
constexpr uint64_t kRangeBytesMax = uint64_t{1} << kRangeShiftMax;
// Where a region's first period begins there is nothing to be joined, its last may be cut short,
// and then something is owed.
constexpr uint64_t kMappingsOfEnds = 8;
// Parts of a mapping.
constexpr unsigned kPartBits = 8;

// How one GiB of a heap, or more where a period is longer, is cut.
struct Plan {
    unsigned period_shift = kGibShift;
    bool fine = false;

    [[nodiscard]] uint64_t frame() const {
        return uint64_t{1} << std::max(period_shift, kGibShift);
    }
};

unsigned distinct_weights(const NodeWeights& weights) {
    unsigned count = 0;
    for (unsigned i = 0; i < weights.count; ++i) {
        const uint8_t* const end = weights.weights + i;
        if (std::find(weights.weights, end, *end) == end) ++count;
    }
    return count;
}

// Of the GiB that is the gib-th of its scope's heap, from 0 on; in parts of a mapping.
uint64_t parts_of_gib(uint64_t gib) {
    if (gib < kFineGib) return uint64_t{kMappingsPerFineGib} << kPartBits;
    const int doublings = std::bit_width(gib / kCoarseGib);
    return (uint64_t{kMappingsPerCoarseGib} << kPartBits) >> doublings;
}

// The first GiB behind that one that has fewer.
uint64_t next_border(uint64_t gib) {
    return gib < kFineGib ? kFineGib : kCoarseGib << std::bit_width(gib / kCoarseGib);
}

// The shortest periods that the mappings of that GiB suffice for, then halved in number so often.
Plan plan_of(const NodeWeights& weights, unsigned granule_shift, uint64_t gib, unsigned halvings) {
    const uint64_t levels = distinct_weights(weights);
    const uint64_t in_a_period = levels > 2 ? levels + 1 : levels;
    uint64_t parts = parts_of_gib(gib);
    // Each node but the last may leave up to one huge page.
    const uint64_t fine_parts = ((weights.count - 1) * levels) << kPartBits;
    Plan plan;
    plan.fine = granule_shift == kHugePageShift && fine_parts * kFineShare <= parts;
    if (plan.fine) parts -= fine_parts;
    parts = std::max<uint64_t>(parts >> halvings, 1);
    const uint64_t wanted = in_a_period << kPartBits;
    for (; parts >= 2 * wanted; parts /= 2) --plan.period_shift;
    // At least one part, and fewer levels than there are nodes with weights: it ends below that.
    static_assert(kGibShift + kPartBits + std::bit_width(kWeightedNodesMax + 1) < kRangeShiftMax);
    for (; parts < wanted; parts *= 2) ++plan.period_shift;
    return plan;
}

// A node that still lacks something, and how much: in parts of a granule, NodeWeights::total to
// one.
using Owed = int64_t[kWeightedNodesMax];

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

// Whole granules of a frame for each node; what remains of its part is owed.
void share_out(const NodeWeights& weights, uint64_t granules, Amounts& ret_whole, Owed& owed) {
    for (unsigned i = 0; i < weights.count; ++i) {
        const uint64_t due = granules * weights.weights[i] + static_cast<uint64_t>(owed[i]);
        ret_whole[i] = due / weights.total;
        owed[i] = static_cast<int64_t>(due % weights.total);
    }
}

uint64_t granules_owed(const NodeWeights& weights, const Owed& owed) {
    return static_cast<uint64_t>(std::accumulate(owed, owed + weights.count, int64_t{0})) /
           weights.total;
}

void put_frame(Emitter& out, const NodeWeights& weights, const Plan& plan, unsigned granule_shift,
               uint64_t bytes, Owed& owed) {
    Amounts whole{};
    share_out(weights, bytes >> granule_shift, whole, owed);
    const uint64_t periods = std::max<uint64_t>(bytes >> plan.period_shift, 1);
    Amounts given{};
    for (uint64_t period = 1; period <= periods; ++period) {
        Amounts amounts{};
        for (unsigned i = 0; i < weights.count; ++i) {
            const uint64_t due = (period * whole[i] + periods / 2) / periods;
            amounts[i] = due - given[i];
            given[i] = due;
        }
        Period(weights, amounts).put(out, granule_shift);
    }
    // Otherwise the next frame has what is owed.
    if (plan.fine) put_fine(out, weights, owed, granules_owed(weights, owed));
}

void put_range(Emitter& out, const NodeWeights& weights, const StretchLayout& layout,
               unsigned halvings, uint64_t start) {
    NodeMask all;
    for (unsigned i = 0; i < weights.count; ++i) all.set(weights.nodes[i]);
    const uint64_t granule = uint64_t{1} << layout.granule_shift;
    // Both ends of a range that is not made of whole granules.
    out.put(all, -start & (granule - 1));
    const uint64_t size = out.left() & ~(granule - 1);
    Owed owed{};
    for (uint64_t at = 0; at < size && out.left() > 0;) {
        const uint64_t gib = layout.heap_gib + (at >> kGibShift);
        const Plan plan = plan_of(weights, layout.granule_shift, gib, halvings);
        const uint64_t bytes = std::min(plan.frame(), size - at);
        put_frame(out, weights, plan, layout.granule_shift, bytes, owed);
        at += bytes;
    }
    put_rest(out, weights, owed, granules_owed(weights, owed), layout.granule_shift);
    out.put(all, out.left());
}

bool are_few_enough(const NodeWeights& weights, const StretchLayout& layout, unsigned halvings,
                    uint64_t start, uint64_t size) {
    uint32_t count = 0;
    const auto visit = [](void* context, const Stretch&) { ++*static_cast<uint32_t*>(context); };
    {
        Emitter out(start, size, layout.mappings + 1, visit, &count);
        put_range(out, weights, layout, halvings, start);
    }
    return count <= layout.mappings;
}

}  // namespace

StretchLayout layout_for(uint64_t heap_offset, uint64_t size) {
    uint64_t parts = 0;
    const uint64_t end = heap_offset + size;
    for (uint64_t at = heap_offset; at < end;) {
        const uint64_t gib = at >> kGibShift;
        const uint64_t bytes = std::min((gib + 1) << kGibShift, end) - at;
        parts += (bytes >> kPageShift) * parts_of_gib(gib) >> (kGibShift - kPageShift);
        at += bytes;
    }
    const uint64_t mappings = (parts >> kPartBits) + kMappingsOfEnds;
    StretchLayout layout;
    layout.mappings =
        std::max(static_cast<uint32_t>(std::min<uint64_t>(mappings, kMappingsMax)), kMappingsMin);
    layout.heap_gib =
        static_cast<uint32_t>(std::min<uint64_t>(heap_offset >> kGibShift, kHeapGibMax));
    return layout;
}

uint64_t begin_of_piece(const StretchLayout& layout, uint64_t offset, uint64_t size) {
    if (size < kEvenPieceBytesMin) return offset;
    const uint64_t border = next_border(layout.heap_gib + (offset >> kGibShift));
    const uint64_t begin = (border - layout.heap_gib) << kGibShift;
    if (offset + size <= begin) return offset;
    const bool fits = begin + size <= (next_border(border) - layout.heap_gib) << kGibShift;
    return fits ? begin : offset;
}

bool visit_stretches(const NodeWeights& weights, const StretchLayout& layout, uint64_t start,
                     uint64_t size, StretchVisitor* visit, void* context) {
    if (weights.count == 0 || size > kRangeBytesMax) return false;
    unsigned halvings = 0;
    while (!are_few_enough(weights, layout, halvings, start, size)) {
        if (++halvings > kRangeShiftMax) return false;
    }
    Emitter out(start, size, layout.mappings, visit, context);
    put_range(out, weights, layout, halvings, start);
    return true;
}

}  // namespace mpol

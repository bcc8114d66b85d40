// SPDX-License-Identifier: Apache-2.0
// Weights of one's own without a kernel that knows them: which stretch of a region is interleaved
// by the kernel over which of the nodes.
//
// A region is cut into frames of a GiB; in each, every node has its part of the frame, to the page.
// A frame is cut into periods, and a period into stretches, at least as many as there are distinct
// weights: all nodes, those with more than the least weight, and so on; the first of them in
// halves. 5,3,2,1 is
//
//     |  0   | 0-3  | 0-2  | 0-3  | 0-1  |  0   | 0-3  | 0-2  | ...
//        2      2      3      2      2      2    units; node 0 has one of each four, one of each
//        three, ...
//
// Lengths are whole huge pages for each node of a stretch, so that a huge page, which the kernel
// interleaves as one, changes nothing. What a frame has left over after the last whole huge page of
// each node is cut finer at its end.
//
// A GiB is a whole number of periods: what is ahead at the begin of any GiB is as far ahead at its
// end, so that the GiB has each node's part exactly, wherever it begins, as long as the periods are
// as long at both ends; and so has any other whole number of periods.
//
// Mappings are scarce: each of the first kFineGib GiB of a scope's heap may have
// kMappingsPerFineGib of them, each later one kMappingsPerCoarseGib, which is fewer than 1,000 for
// 64 GiB; and beyond kCoarseGib each doubling of the heap has as many as the one before. Where they
// don't suffice, periods and then frames are longer.
//
// The layout is a function of the weights, the range and what its region row says: those outside
// work it out as the target did. Pure; never allocates; async-signal-safe.
#pragma once

#include <algorithm>
#include <cstdint>

#include "policy/weights.h"

namespace mpol {

inline constexpr unsigned kPageShift = 12;
inline constexpr unsigned kHugePageShift = 21;

inline constexpr unsigned kGibShift = 30;

// 16 periods of 5,3,2,1 in each of the first GiB, 64 MiB long, and their fine ends: in so small a
// heap no amount is off by more than 2.2 MiB of the last node's. Later 2 periods.
inline constexpr uint32_t kMappingsPerFineGib = 92;
inline constexpr uint64_t kFineGib = 4;
inline constexpr uint32_t kMappingsPerCoarseGib = 10;
inline constexpr uint64_t kCoarseGib = 32;

// What a region's row says: fixed when the region is made, whatever its policy.
struct StretchLayout {
    uint32_t mappings = 0;                   // at most so many stretches
    uint8_t granule_shift = kHugePageShift;  // kPageShift where there are no huge pages
    uint32_t heap_gib = 0;                   // whole GiB of the scope's heap before the region
};
inline constexpr uint32_t kHeapGibMax = (1U << 24) - 1;
[[nodiscard]] constexpr uint64_t encode(const StretchLayout& layout) {
    return layout.mappings | static_cast<uint64_t>(layout.granule_shift) << 32 |
           static_cast<uint64_t>(layout.heap_gib) << 40;
}
// Any word is a layout: one that says neither granule is read as one with huge pages, and no region
// has more than kMappingsMax stretches.
inline constexpr uint32_t kMappingsMax = 1U << 16;
[[nodiscard]] constexpr StretchLayout decode_layout(uint64_t word) {
    const bool small = static_cast<uint8_t>(word >> 32) == kPageShift;
    const auto mappings = static_cast<uint32_t>(word);
    return {std::min(mappings, kMappingsMax),
            static_cast<uint8_t>(small ? kPageShift : kHugePageShift),
            static_cast<uint32_t>(word >> 40)};
}

// Of a region that begins that far into its scope's heap, with huge pages: a few stretches at
// least.
inline constexpr uint32_t kMappingsMin = 16;
[[nodiscard]] StretchLayout layout_for(uint64_t heap_offset, uint64_t size);

// Where a piece of a region, of so many bytes, is to begin: at offset, or behind it, where the
// mappings of a GiB become fewer, so that it lies where periods are of one length. A piece of less
// than a long period, or longer than the part of the heap behind, begins at offset.
inline constexpr uint64_t kEvenPieceBytesMin = uint64_t{256} << 20;
[[nodiscard]] uint64_t begin_of_piece(const StretchLayout& layout, uint64_t offset, uint64_t size);

struct Stretch {
    uint64_t start = 0;
    uint64_t size = 0;
    NodeMask nodes{};  // the kernel interleaves it over these
};

using StretchVisitor = void(void* context, const Stretch& stretch);

// Visits the stretches of [start, start + size), ascending and without gaps; neighbours differ.
// False: the layout allows too few for these weights, or there are no weights; nothing is visited,
// and the range is interleaved over the nodes evenly.
bool visit_stretches(const NodeWeights& weights, const StretchLayout& layout, uint64_t start,
                     uint64_t size, StretchVisitor* visit, void* context);

template <class Visit>
bool for_each_stretch(const NodeWeights& weights, const StretchLayout& layout, uint64_t start,
                      uint64_t size, Visit visit) {
    return visit_stretches(
        weights, layout, start, size,
        [](void* context, const Stretch& stretch) { (*static_cast<Visit*>(context))(stretch); },
        &visit);
}

}  // namespace mpol

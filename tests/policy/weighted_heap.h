// SPDX-License-Identifier: Apache-2.0
// Shared by the tests of stretches: awkward weights, and a heap of 64 GiB as the allocator's
// regions grow.
#pragma once

#include <string>
#include <vector>

#include "policy/stretches.h"

namespace mpol::test {

using Weights = std::vector<unsigned>;

inline const std::vector<Weights> kWeightVectors = {
    {5, 3, 2, 1},
    {4, 3, 2, 1},
    {9, 9, 9, 2},
    {7, 7, 7, 1},
    {255, 1},
    {3, 1},
    {255, 254, 253, 252},
    {2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1},
};

// Of nodes 0, 1, ...
inline NodeWeights weights_of(const Weights& list) {
    NodeWeights out;
    for (const unsigned weight : list) {
        out.nodes[out.count] = static_cast<uint16_t>(out.count);
        out.weights[out.count++] = static_cast<uint8_t>(weight);
        out.total += weight;
    }
    return out;
}

inline std::string name_of(const Weights& list) {
    std::string name;
    for (const unsigned weight : list) name += (name.empty() ? "" : ",") + std::to_string(weight);
    return name;
}

// Regions that 64 allocations of 1 GiB make: jemalloc asks for ever more at once.
inline std::vector<uint64_t> growing_heap() {
    std::vector<uint64_t> regions;
    for (const unsigned gib : {1, 2, 2, 2, 2, 3, 3, 4, 4, 5, 6, 7, 8, 10, 12, 14}) {
        regions.push_back(uint64_t{gib} << 30);
    }
    return regions;
}

template <class Visit>
bool visit_region(const NodeWeights& weights, unsigned granule_shift, uint64_t offset,
                  uint64_t size, Visit visit) {
    StretchLayout layout = layout_for(offset, size);
    layout.granule_shift = static_cast<uint8_t>(granule_shift);
    return for_each_stretch(weights, layout, offset, size, visit);
}

}  // namespace mpol::test

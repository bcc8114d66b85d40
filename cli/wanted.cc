// SPDX-License-Identifier: Apache-2.0
#include "cli/wanted.h"

#include <algorithm>
#include <iterator>

#include "control/pages.h"

namespace mpol::cli {

Wanted::Wanted(const RegionView& region, const Placing& placing) : placing_(placing) {
    known_ = region.effective_whole;
    if (!known_ || !region.effective) return;
    mode_ = region.effective->mode;
    nodes_ = region.effective->nodes;
    if (!has_own_weights(*region.effective)) return;
    // The kernel interleaves each stretch, and all of the region where it could not be cut.
    mode_ = Mode::kInterleave;
    for_each_stretch(weights_in_force(*region.effective, nodes_),
                     decode_layout(region.state.stretches), region.state.start, region.state.size,
                     [this](const Stretch& stretch) { stretches_.push_back(stretch); });
}

const NodeMask& Wanted::nodes_at(uint64_t address) const {
    const auto after =
        std::upper_bound(stretches_.begin(), stretches_.end(), address,
                         [](uint64_t at, const Stretch& stretch) { return at < stretch.start; });
    return after == stretches_.begin() ? nodes_ : std::prev(after)->nodes;
}

bool Wanted::misplaced(uint64_t address, bool huge, unsigned node) const {
    const uint64_t index = address / (huge ? control::kHugePageBytes : control::kPageBytes);
    return known_ && !is_placed(mode_, nodes_at(address), index & placing_.index_mask,
                                placing_.weights, node);
}

}  // namespace mpol::cli

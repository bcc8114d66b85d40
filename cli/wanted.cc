// SPDX-License-Identifier: Apache-2.0
#include "cli/wanted.h"

#include "control/pages.h"

namespace mpol::cli {

Wanted::Wanted(const RegionView& region, const Placing& placing) : placing_(placing) {
    // Weights of one's own are made of stretches bound to single nodes, which the row doesn't tell.
    const bool own_weights = region.asked && region.asked->weight_source != WeightSource::kNone;
    known_ = region.effective_whole && !own_weights;
    if (!known_ || !region.effective) return;
    mode_ = region.effective->mode;
    nodes_ = region.effective->nodes;
}

bool Wanted::misplaced(uint64_t address, bool huge, unsigned node) const {
    const uint64_t index = address / (huge ? control::kHugePageBytes : control::kPageBytes);
    return known_ && !is_placed(mode_, nodes_, index & placing_.index_mask, placing_.weights, node);
}

}  // namespace mpol::cli

// SPDX-License-Identifier: Apache-2.0
// Where the policy in force wants the pages of a region: the one place that knows. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "cli/maps_view.h"
#include "policy/placement.h"
#include "policy/stretches.h"

namespace mpol::cli {

// How this kernel places pages.
struct Placing {
    KernelWeights weights{};
    uint64_t index_mask = ~uint64_t{0};  // of a page number before it is divided
};

class Wanted {
  public:
    // Both outlive it.
    Wanted(const RegionView& region, const Placing& placing);

    // False: what is in force can't be told.
    [[nodiscard]] bool known() const { return known_; }
    // Which node depends on the page, and so on whether the page is a huge one.
    [[nodiscard]] bool by_page() const {
        return mode_ == Mode::kInterleave || mode_ == Mode::kWeightedInterleave;
    }
    // The page at address, which lies on node, is elsewhere. False where nothing is wanted: local,
    // the kernel's default.
    [[nodiscard]] bool misplaced(uint64_t address, bool huge, unsigned node) const;

  private:
    // Of weights of one's own: the nodes that the kernel interleaves the address over.
    [[nodiscard]] const NodeMask& nodes_at(uint64_t address) const;

    Mode mode_ = Mode::kDefault;
    NodeMask nodes_{};
    std::vector<Stretch> stretches_;  // ascending, without gaps; empty: nodes_ everywhere
    const Placing& placing_;
    bool known_ = true;
};

}  // namespace mpol::cli

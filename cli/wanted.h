// SPDX-License-Identifier: Apache-2.0
// Where the policy in force wants the pages of a region: the one place that knows. Pure.
#pragma once

#include <cstdint>

#include "cli/maps_view.h"
#include "policy/placement.h"

namespace mpol::cli {

// How this kernel places pages.
struct Placing {
    KernelWeights weights{};
    uint64_t index_mask = ~uint64_t{0};  // of a page number before it is divided
};

class Wanted {
  public:
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
    Mode mode_ = Mode::kDefault;
    NodeMask nodes_{};
    const Placing& placing_;
    bool known_ = true;
};

}  // namespace mpol::cli

// SPDX-License-Identifier: Apache-2.0
// Counts the pages of regions: where they lie, which are huge, which are not where the policy wants
// them. Bounded by sampling.h, whatever the regions' sizes are.
#pragma once

#include "cli/error.h"
#include "cli/machine.h"
#include "cli/maps_view.h"

namespace mpol::cli {

// Fills in the residency of view and of its plausible regions, or why it can't be had
// (not_counted). task: a thread of the process that has not exited. all: every page, however many.
// Failure: the process has exited.
[[nodiscard]] Result<void> count_residency(MapsView& view, pid_t task, const Machine& machine,
                                           bool all);

}  // namespace mpol::cli

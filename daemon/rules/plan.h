// SPDX-License-Identifier: Apache-2.0
// What a rule's action comes to for one process, now. Reads the clock and the policies of the
// processes that a rule names.
#pragma once

#include "daemon/rules/policy_template.h"
#include "daemon/rules/schedule.h"
#include "daemon/rules/typed.h"

namespace mpol::rules {

using Planned = tl::expected<Resolved, BadPolicy>;

// Fills in target's same_as.
[[nodiscard]] Planned plan(const Action& action, const Topology& topology, TargetNodes& target);

[[nodiscard]] Moment local_moment();

}  // namespace mpol::rules

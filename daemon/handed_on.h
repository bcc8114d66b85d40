// SPDX-License-Identifier: Apache-2.0
// What a process hands on. A program that it executes, and a process that it starts, begin with its
// kernel task policy, set_mempolicy(2); their segments are new and know of nothing before. Where
// that policy is the daemon's doing, the daemon remembers what they would have begun with, and
// gives them that when it gives back.
//
// Pure, but for what it reads of a target. Precondition: unfolded.
#pragma once

#include <cstdint>
#include <optional>

#include "control/attach.h"

namespace mpol::daemon {

struct HandedOn {
    Policy given{};           // by the daemon
    Policy before{};          // of mode default: there was none
    uint64_t generation = 0;  // of given; 0: it was handed on to the process itself
};

// By the process as it is now; empty: nothing of this daemon's. inherited: what it would have begun
// with itself, where it has begun with what was handed on. last: the answer of before. What was
// given back is handed on still, until the process's threads have taken that up.
[[nodiscard]] std::optional<HandedOn> handed_on_by(const control::Target& target,
                                                   const std::optional<Policy>& inherited,
                                                   const std::optional<HandedOn>& last);

// What the target's program would have begun with; empty: it has begun with nothing that was handed
// on so.
[[nodiscard]] std::optional<Policy> before_of(const control::Target& target,
                                              const std::optional<HandedOn>& handed_on);

}  // namespace mpol::daemon

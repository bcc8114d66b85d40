// SPDX-License-Identifier: Apache-2.0
// What the daemon may, as little as it needs. Once, at start, before it reads anything of others'.
#pragma once

#include "control/attach.h"

namespace mpol::daemon {

// One or two descriptors for each process (descriptor_budget.h). As many as the hard limit allows,
// and where that may be raised, kDescriptorsWanted. Returns how many.
inline constexpr uint64_t kDescriptorsWanted = 1 << 20;
uint64_t raise_descriptor_limit();

// Short work that others wait for goes before long work that nobody waits for, where it may.
void raise_priority();

// Of root's capabilities only those that opening other users' segments takes are left: following
// /proc/PID/fd (CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH). After process events were opened, which need
// nothing from then on. Without any capability there is nothing to do.
[[nodiscard]] control::Result<void> drop_privileges();

}  // namespace mpol::daemon

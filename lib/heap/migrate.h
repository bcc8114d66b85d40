// SPDX-License-Identifier: Apache-2.0
// Migration: the process moves its own pages to where their policies want them, as somebody asks
// through the segment (struct mpol_ctl_migration). Region by region, a batch at a time; between two
// batches the caller applies what is published, so a rewrite never waits for more than one batch,
// and the walk begins anew under the new policy. What was moved stays moved, whenever it ends;
// walking again skips what is in place, so resuming is asking again.
//
// For the helper thread only. Never allocates, prints or exits; errno is preserved.
#pragma once

#include <cstdint>

namespace mpol::heap {

// Does the next bit of what is asked for: at most one batch. Returns how long it has nothing to do:
// 0: call again at once; a number of ns; -1: until the epoch's futex is woken.
[[nodiscard]] int64_t migrate_some();

// In a forked child: the parent's migration is not its own.
void forget_migration();

}  // namespace mpol::heap

// SPDX-License-Identifier: Apache-2.0
// Large allocations of a thread that has a policy of its own, where they have yet another one. They
// come from a second scope of the thread's, with an arena and regions of its own. jemalloc's
// routing by size (kinds.h) leaves such threads alone, and extent hooks see arenas grow, not
// allocations; so the thread's own allocator calls choose the arena (preload/own_large.h).
//
// The second scope goes with the first: it follows the thread's policy where large allocations have
// none, the process's where the thread has none, and waits for another thread when this one exits.
// Never prints, exits or throws; errno is preserved.
#pragma once

#include <cstdint>

#include "heap/scopes.h"

namespace mpol::heap {

// --- Applying. apply_mutex held.

// Binds the large scope of the slot's thread as is asked for. own: the thread's scope, own_rebound:
// it was bound anew in this pass. Returns the scope when that concerned it, else kProcessScope.
[[nodiscard]] ScopeId bind_own_large(unsigned slot, ScopeId own, bool own_rebound);
// The scope's free memory is to be given back.
[[nodiscard]] bool own_large_is_purged(unsigned slot);
void report_own_large(unsigned slot);

// Where the slot's thread has its large allocations; kProcessScope: nowhere of its own.
[[nodiscard]] ScopeId large_scope_of_slot(unsigned slot);

// In a forked child: no slot has such a scope.
void forget_own_large();

// --- By the thread itself. They wait for apply_mutex.

// Brings the calling thread's choice up to date. has_own: it has a policy of its own. True when
// something was applied.
bool sync_own_large(bool has_own);
// It exits.
void leave_own_large();
// In a forked child's only thread: it keeps its scope.
void adopt_own_large();

}  // namespace mpol::heap

// SPDX-License-Identifier: Apache-2.0
// Memory of another scope. jemalloc would put what a thread frees into that thread's cache and hand
// it out there again; here it goes back to the arena it came from. Paid for only when the process
// has, or had, a thread with a policy of its own.
#pragma once

#include <cstddef>

#include "heap/owner_table.h"
#include "heap/scopes.h"
#include "heap/task.h"
#include "preload/foreign_batch.h"

namespace mpol::preload {

// With one scope every owner is the process, so this is false without asking whether there are more.
[[gnu::always_inline]] inline bool is_foreign(const void* pointer) {
    const heap::ScopeId owner = heap::owners.look_up(pointer);
    if (__builtin_expect(owner == heap::this_task.scope, 1)) return false;
    return pointer != nullptr &&
           (owner != heap::OwnerTable::kMixed || heap::owner_of(pointer) != heap::this_task.scope);
}

// The same for the path that nearly every free takes: one look, no call. False: ask is_foreign.
[[gnu::always_inline]] inline bool is_surely_own(const void* pointer) {
    return __builtin_expect(heap::owners.look_up_allocated(pointer) == heap::this_task.scope, 1);
}

// Stays with its owner while it fits where it is; else moves to the calling thread's scope.
void* realloc_foreign(void* pointer, size_t size);

// The process's own, to a size that a policy of its own governs (heap/kinds.h): never in place.
[[gnu::cold]] void* realloc_into_large(void* pointer, size_t size);

// jemalloc's flags for reallocating foreign memory without this thread's cache.
[[nodiscard]] int without_cache(int flags);

}  // namespace mpol::preload

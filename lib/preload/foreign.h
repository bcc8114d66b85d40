// SPDX-License-Identifier: Apache-2.0
// Memory of another scope. jemalloc would put what a thread frees into that thread's cache and hand
// it out there again; here it goes back to the arena it came from. Paid for only when the process
// has, or had, a thread with a policy of its own.
#pragma once

#include <cstddef>

#include "heap/je.h"
#include "heap/owner_table.h"
#include "heap/scopes.h"
#include "heap/task.h"
#include "preload/foreign_batch.h"

namespace mpol::preload {

// With one scope every owner is the process, so this is false without asking whether there are
// more.
[[gnu::always_inline]] inline bool is_foreign(const void* pointer) {
    const heap::ScopeId owner = heap::owners.look_up(pointer);
    if (__builtin_expect(owner == heap::this_task.scope, 1)) return false;
    return pointer != nullptr &&
           (owner != heap::OwnerTable::kMixed || heap::owner_of(pointer) != heap::this_task.scope);
}

// What free and sized operator delete do with the thread's own: jemalloc's, but that a thread which
// only frees gets a cache.
#ifdef MPOL_FAST_PATH
extern "C" [[gnu::visibility("hidden")]] void mpol_free_own(void* pointer);
extern "C" [[gnu::visibility("hidden")]] void mpol_free_sized_own(void* pointer, size_t size);
#else
inline void mpol_free_own(void* pointer) {
    je_free(pointer);
}
inline void mpol_free_sized_own(void* pointer, size_t size) {
    je_je_sdallocx_noflags(pointer, size);
}
#endif

// What they do once there are several scopes; fast_path.S jumps here.
extern "C" [[gnu::visibility("hidden")]] void mpol_free_checked(void* pointer);
extern "C" [[gnu::visibility("hidden")]] void mpol_free_sized_checked(void* pointer, size_t size);

// Relaxed: a thread that still finds one scope has memory of that one only, or comes to others' by
// something that orders it after the second one.
[[gnu::always_inline]] inline bool owners_differ() {
    return __builtin_expect(heap::several_scopes.load(std::memory_order_relaxed), 0);
}

[[gnu::always_inline]] inline void release(void* pointer) {
    return owners_differ() ? mpol_free_checked(pointer) : mpol_free_own(pointer);
}
[[gnu::always_inline]] inline void release(void* pointer, size_t size) {
    return owners_differ() ? mpol_free_sized_checked(pointer, size)
                           : mpol_free_sized_own(pointer, size);
}

// Stays with its owner while it fits where it is; else moves to the calling thread's scope.
void* realloc_foreign(void* pointer, size_t size);

// The process's own, to a size that a policy of its own governs (heap/kinds.h): never in place.
[[gnu::cold]] void* realloc_into_large(void* pointer, size_t size);

// jemalloc's flags for reallocating foreign memory without this thread's cache.
[[nodiscard]] int without_cache(int flags);

}  // namespace mpol::preload

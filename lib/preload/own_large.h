// SPDX-License-Identifier: Apache-2.0
// Large allocations of a thread that has one policy for them and another for the rest
// (heap/own_large.h). Such a thread's epoch is never up to date, so each of its calls comes by the
// cold side of the check, where the size is looked at; the other threads' paths know nothing of it.
// What it has allocated as large is memory of another scope to its own frees, too.
#pragma once

#include <cstddef>

#include "heap/task.h"

namespace mpol::preload {

[[nodiscard, gnu::always_inline]] inline bool is_own_large(size_t size) {
    return __builtin_expect(size > heap::this_task.large_above, 0);
}

// Precondition: is_own_large(size). nullptr: there is no memory, or the alignment is none;
// jemalloc's own function, called the same, then says which.
[[nodiscard]] void* allocate_own_large(size_t size, size_t alignment = 1, bool zero = false);

// jemalloc's flags for the same, where the caller has not chosen an arena.
[[nodiscard]] int in_own_large(int flags);

// realloc of a thread with such a policy: what crosses the threshold moves.
[[nodiscard]] inline bool has_own_large() {
    return heap::this_task.large_above != SIZE_MAX;
}
void* realloc_by_size(void* pointer, size_t size);

}  // namespace mpol::preload

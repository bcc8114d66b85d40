// SPDX-License-Identifier: Apache-2.0
// Where free and sized operator delete jump to: jemalloc itself while the process has one scope, the
// owner check afterwards. A jump through memory costs one instruction, and a flag three.
//
// The two words lie in .data.rel.ro, which the dynamic linker makes read-only before the program
// starts: they are no target for a stray or hostile write, except for the moment of the one change.
#pragma once

#include <cstddef>

namespace mpol::preload {

struct Entries {
    void (*free)(void*);
    void (*free_sized)(void*, size_t);
};
extern Entries entries [[gnu::visibility("hidden")]];

// Relaxed: a thread that still finds jemalloc's own has memory of one scope only, or comes to
// others' by something that orders it after the change. One jump through memory, as without.
[[gnu::always_inline]] inline void free_by_entry(void* pointer) {
    return __atomic_load_n(&entries.free, __ATOMIC_RELAXED)(pointer);
}
[[gnu::always_inline]] inline void free_sized_by_entry(void* pointer, size_t size) {
    return __atomic_load_n(&entries.free_sized, __ATOMIC_RELAXED)(pointer, size);
}

}  // namespace mpol::preload

// SPDX-License-Identifier: Apache-2.0
// jemalloc's own interface, jemalloc(3). A program that links libjemalloc (Debian's redis-server)
// finds all of it here, or it would mix two heaps.
#include <cstddef>
#include <iterator>

#include "heap/je.h"
#include "heap/locks.h"
#include "preload/foreign.h"
#include "preload/slow_path.h"

#define MPOL_EXPORT extern "C" [[gnu::visibility("default")]]

using mpol::preload::check;
using mpol::preload::free_foreign;
using mpol::preload::in_own_large;
using mpol::preload::is_foreign;
using mpol::preload::is_own_large;
using mpol::preload::up_to_date;

namespace {
// MALLOCX_TCACHE(...) given: the caller has chosen a cache.
bool chose_cache(int flags) {
    return (flags & (0xfff << 8)) != 0;
}

[[gnu::cold, gnu::noinline]] int slow_flags(size_t size, int flags) {
    check();
    return is_own_large(size) ? in_own_large(flags) : flags;
}
// Whether the control ends an arena or empties it (arena.<i>.destroy, arena.<i>.reset): nobody else
// may be at that arena then, nor purge it.
[[gnu::cold, gnu::noinline]] bool ends_arena(const size_t* mib, size_t length) {
    constexpr size_t kLength = 3;
    if (length != kLength) return false;
    for (const char* name : {"arena.0.destroy", "arena.0.reset"}) {
        size_t known[kLength];
        size_t known_length = kLength;
        if (je_mallctlnametomib(name, known, &known_length) != 0) continue;
        if (mib[0] == known[0] && mib[2] == known[2]) return true;
    }
    return false;
}

[[gnu::cold, gnu::noinline]] bool ends_arena(const char* name) {
    size_t mib[8];
    size_t length = std::size(mib);
    return je_mallctlnametomib(name, mib, &length) == 0 && ends_arena(mib, length);
}
}  // namespace

// What the library can't do without, whatever MALLOC_CONF says: other settings would take memory
// out of the regions, or out of the arena that a thread's policy governs.
extern "C" const char* je_malloc_conf_2_conf_harder;
const char* je_malloc_conf_2_conf_harder = "retain:true,oversize_threshold:0,percpu_arena:disabled";

// Defaults, which MALLOC_CONF overrides. Pages that are merely MADV_FREE'd keep their old node. Caches
// that are trimmed for each MB a thread allocates, not each 64 KiB, cost less; see expect_rewrites.
extern "C" const char* je_malloc_conf;
const char* je_malloc_conf = "muzzy_decay_ms:0,tcache_gc_incr_bytes:1000000";

MPOL_EXPORT void* mallocx(size_t size, int flags) {
    if (!up_to_date()) flags = slow_flags(size, flags);
    return je_mallocx(size, flags);
}

MPOL_EXPORT void* rallocx(void* pointer, size_t size, int flags) {
    if (!up_to_date()) flags = slow_flags(size, flags);
    if (is_foreign(pointer)) flags = mpol::preload::without_cache(flags);
    return je_rallocx(pointer, size, flags);
}

MPOL_EXPORT size_t xallocx(void* pointer, size_t size, size_t extra, int flags) {
    check();
    return je_xallocx(pointer, size, extra, flags);
}

MPOL_EXPORT size_t sallocx(const void* pointer, int flags) {
    return je_sallocx(pointer, flags);
}

MPOL_EXPORT void dallocx(void* pointer, int flags) {
    if (!chose_cache(flags) && is_foreign(pointer)) return free_foreign(pointer);
    return je_dallocx(pointer, flags);
}

MPOL_EXPORT void sdallocx(void* pointer, size_t size, int flags) {
    if (!chose_cache(flags) && is_foreign(pointer)) return free_foreign(pointer);
    return je_sdallocx(pointer, size, flags);
}

MPOL_EXPORT size_t nallocx(size_t size, int flags) {
    check();
    return je_nallocx(size, flags);
}

MPOL_EXPORT int mallctl(const char* name, void* old, size_t* old_size, void* new_value,
                        size_t new_size) {
    check();
    if (old == nullptr && new_value == nullptr && ends_arena(name)) {
        const mpol::heap::PurgesHeldOff held_off;
        return je_mallctl(name, old, old_size, new_value, new_size);
    }
    return je_mallctl(name, old, old_size, new_value, new_size);
}

MPOL_EXPORT int mallctlnametomib(const char* name, size_t* mib, size_t* length) {
    check();
    return je_mallctlnametomib(name, mib, length);
}

MPOL_EXPORT int mallctlbymib(const size_t* mib, size_t length, void* old, size_t* old_size,
                             void* new_value, size_t new_size) {
    check();
    if (old == nullptr && new_value == nullptr && ends_arena(mib, length)) {
        const mpol::heap::PurgesHeldOff held_off;
        return je_mallctlbymib(mib, length, old, old_size, new_value, new_size);
    }
    return je_mallctlbymib(mib, length, old, old_size, new_value, new_size);
}

MPOL_EXPORT void malloc_stats_print(void (*write)(void*, const char*), void* opaque,
                                    const char* options) {
    check();
    je_malloc_stats_print(write, opaque, options);
}

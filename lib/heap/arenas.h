// SPDX-License-Identifier: Apache-2.0
// What jemalloc knows of its arenas, read without its mallctl, which takes a lock and refreshes
// all.
#pragma once

#include "heap/je.h"

namespace mpol::heap {

// nullptr: it has not been needed yet.
inline je_arena* arena_at(unsigned index) {
    return __atomic_load_n(&je_arenas[index], __ATOMIC_ACQUIRE);
}

// That it would give back if it were purged.
inline size_t free_pages(je_arena* arena) {
    unsigned threads = 0;
    const char* dss = nullptr;
    ssize_t dirty_decay_ms = 0;
    ssize_t muzzy_decay_ms = 0;
    size_t active = 0;
    size_t dirty = 0;
    size_t muzzy = 0;
    je_arena_basic_stats_merge(nullptr, arena, &threads, &dss, &dirty_decay_ms, &muzzy_decay_ms,
                               &active, &dirty, &muzzy);
    return dirty + muzzy;
}

}  // namespace mpol::heap

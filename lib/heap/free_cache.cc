// SPDX-License-Identifier: Apache-2.0
#include "heap/free_cache.h"

#include <atomic>

#include "control/segment.h"
#include "heap/je.h"
#include "heap/task.h"

namespace mpol::heap {

namespace {

constinit std::atomic<unsigned> caches{0};

uint64_t heap_bytes() {
    return control::load(control::local.header.counters[MPOL_CTL_CARVED_BYTES]);
}

bool enter() {
    const uint64_t most = heap_bytes() / kHeapPerFreeCache;
    unsigned count = caches.load(std::memory_order_relaxed);
    do {
        if (count >= most) return false;
    } while (!caches.compare_exchange_weak(count, count + 1, std::memory_order_relaxed));
    return true;
}

void make_free_cache() {
    Task& task = this_task;
    if (!enter()) return;
    task.free_cache = FreeCache::kInTheMaking;
    je_nallocx(1, 0);  // The least of what completes jemalloc's notion of a thread.
    if (task.free_cache == FreeCache::kHere) return;
    // It was complete, and has a cache of jemalloc's or by the program's wish none.
    task.free_cache = FreeCache::kNotOurs;
    caches.fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace

bool look_after_free_cache(void* block) {
    const FreeCache found = this_task.free_cache;
    if (found == FreeCache::kNone) make_free_cache();
    if (found != FreeCache::kHere) return true;
    if (heap_bytes() >= caches.load(std::memory_order_relaxed) * kHeapPerFullFreeCache) return true;
    // Few of these would be all that it may hold.
    if (je_sallocx(block, 0) > kSmallBytesMax) return false;
    je_tcache_flush(je_tsd_tls);
    return true;
}

void leave_free_cache() {
    FreeCache& cache = this_task.free_cache;
    if (cache == FreeCache::kHere) caches.fetch_sub(1, std::memory_order_relaxed);
    cache = FreeCache::kNotOurs;
}

void count_free_caches_anew() {
    const bool here = this_task.free_cache == FreeCache::kHere;
    caches.store(here ? 1 : 0, std::memory_order_relaxed);
}

}  // namespace mpol::heap

// What jemalloc calls for the arena of a new cache (src/tcache.c; the archive is linked with that
// name changed, rename-jemalloc). The first arena is what it takes itself before there are others,
// and what it changes for the thread's own at its first allocation.
extern "C" je_arena* mpol_arena_choose(void* tsd, bool internal) {
    using mpol::heap::FreeCache;
    FreeCache& cache = mpol::heap::this_task.free_cache;
    if (cache != FreeCache::kInTheMaking) return je_arena_choose_hard(tsd, internal);
    cache = FreeCache::kHere;
    return je_arenas[0];
}

// What jemalloc calls to fill a cache, by which a thread that allocates is known.
extern "C" void* je_tcache_alloc_small_hard(void* tsdn, je_arena* arena, void* cache, void* bin,
                                            unsigned bin_index, bool* ret_success) {
    mpol::heap::leave_free_cache();
    return mpol_tcache_fill(tsdn, arena, cache, bin, bin_index, ret_success);
}

// When a thread exits, or is to have no cache (thread.tcache.enabled). Later frees may come.
extern "C" void je_tcache_cleanup(void* tsd) {
    mpol::heap::leave_free_cache();
    mpol_tcache_end(tsd);
}

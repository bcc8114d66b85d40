// SPDX-License-Identifier: Apache-2.0
#include "heap/vacated.h"

#include <atomic>
#include <bit>

#include "heap/arenas.h"
#include "heap/purge.h"
#include "heap/purge_batch.h"

namespace mpol::heap {

namespace {

constexpr uint64_t kPage = 4096;

// Two threads' caches themselves, which lie in arena 0: jemalloc has its decay after each thread, and
// that of a few pages which are freed again and again comes to all of them. So little waits in any
// arena until the next allocation there has its decay; where more is free, all is as by jemalloc.
constexpr uint64_t kCacheBytes = uint64_t{64} << 10;

constinit std::atomic<uint64_t> vacated[kAllArenas / 64];

// kAllArenas: it is none of the table's.
unsigned index_of(const je_arena* arena) {
    const unsigned count = je_narenas_total_get();
    unsigned index = 0;
    while (index < count && arena_at(index) != arena) ++index;
    return index < count ? index : kAllArenas;
}

// False: its free pages are to go back at once.
bool note_vacated(je_arena* arena) {
    const unsigned index = index_of(arena);
    if (index == kAllArenas) return false;
    // Before asking: who purges sees it.
    vacated[index / 64].fetch_or(uint64_t{1} << (index % 64), std::memory_order_acq_rel);
    return ask_for_purge_of_vacated();
}

}  // namespace

void purge_vacated() {
    for (unsigned word = 0; word < kAllArenas / 64; ++word) {
        uint64_t bits = vacated[word].exchange(0, std::memory_order_acq_rel);
        for (; bits != 0; bits &= bits - 1) {
            purge_vacant_arena(word * 64 + static_cast<unsigned>(std::countr_zero(bits)));
        }
    }
}

}  // namespace mpol::heap

// What jemalloc calls for an arena when a thread's cache has given something back to it
// (src/tcache.c; the archive is linked with that name changed, rename-jemalloc). all: nothing is to
// stay free, because the cache was that of the arena's last thread.
extern "C" void mpol_decay_after_cache(void* tsdn, je_arena* arena, bool in_background, bool all) {
    using namespace mpol::heap;
    const uint64_t bytes = free_pages(arena) * kPage;
    if (all ? bytes <= kVacatedBytesMax && note_vacated(arena) : bytes <= kCacheBytes) return;
    PurgeBatch batch;
    je_arena_decay(tsdn, arena, in_background, all);
}

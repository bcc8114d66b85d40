// SPDX-License-Identifier: Apache-2.0
#include "heap/purge.h"

#include <algorithm>
#include <atomic>
#include <iterator>

#include "heap/je.h"
#include "sys/sys.h"

namespace mpol::heap {
namespace {

constinit std::atomic<bool> being_purged[kArenasMax];

// False: another thread is at it.
bool purge(unsigned arena) {
    if (arena >= kArenasMax) return true;
    if (being_purged[arena].exchange(true, std::memory_order_acquire)) return false;
    size_t mib[3];
    size_t length = std::size(mib);
    if (je_mallctlnametomib("arena.0.purge", mib, &length) == 0) {
        mib[1] = arena;
        je_mallctlbymib(mib, length, nullptr, nullptr, nullptr, 0);
    }
    being_purged[arena].store(false, std::memory_order_release);
    return true;
}

unsigned read_unsigned(const char* name, unsigned otherwise) {
    unsigned value = 0;
    size_t size = sizeof(value);
    return je_mallctl(name, &value, &size, nullptr, 0) == 0 ? value : otherwise;
}

}  // namespace

void purge_arena(unsigned arena) { (void)purge(arena); }

void purge_all_arenas() {
    const unsigned count = std::min(read_unsigned("arenas.narenas", 0), kArenasMax);
    for (unsigned arena = 0; arena < count; ++arena) (void)purge(arena);
}

void give_cache_back() {
    je_mallctl("thread.tcache.flush", nullptr, nullptr, nullptr, 0);
    const unsigned own = read_unsigned("thread.arena", kArenasMax);
    for (const uint64_t begin = sys::monotonic_ns(); !purge(own);) {
        if (sys::monotonic_ns() - begin > kPurgeWaitNs) break;
        sys::yield();
    }
    if (!ask_for_purge()) purge_all_arenas();
}

void renew_purges() {
    for (std::atomic<bool>& each : being_purged) {
        if (each.load(std::memory_order_relaxed)) each.store(false, std::memory_order_relaxed);
    }
}

}  // namespace mpol::heap

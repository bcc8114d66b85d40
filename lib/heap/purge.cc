// SPDX-License-Identifier: Apache-2.0
#include "heap/purge.h"

#include <atomic>
#include <cstdint>
#include <iterator>

#include "heap/je.h"
#include "sys/sys.h"

namespace mpol::heap {

namespace {

// What jemalloc makes of "arena.0.purge": taking the text apart costs as much as a purge of
// nothing. Whoever comes first writes it; others at the same time write the same. (There are no
// guards of static variables here.)
constinit std::atomic<size_t> name_words[3];
constinit std::atomic<bool> name_known{false};

constinit std::atomic<uint32_t> purging{0};
constinit std::atomic<bool> rewrites_expected{false};

bool read_name(size_t (&ret_mib)[3]) {
    if (name_known.load(std::memory_order_acquire)) {
        for (size_t i = 0; i < 3; ++i) ret_mib[i] = name_words[i].load(std::memory_order_relaxed);
        return true;
    }
    size_t length = std::size(ret_mib);
    if (je_mallctlnametomib("arena.0.purge", ret_mib, &length) != 0) return false;
    for (size_t i = 0; i < 3; ++i) name_words[i].store(ret_mib[i], std::memory_order_relaxed);
    name_known.store(true, std::memory_order_release);
    return true;
}

}  // namespace

void purge_arena(unsigned arena) {
    size_t mib[3];
    if (!read_name(mib)) return;
    mib[1] = arena;
    purging.fetch_add(1, std::memory_order_relaxed);
    je_mallctlbymib(mib, std::size(mib), nullptr, nullptr, nullptr, 0);
    purging.fetch_sub(1, std::memory_order_relaxed);
}

bool is_purging() {
    return purging.load(std::memory_order_relaxed) != 0;
}

void forget_purges() {
    purging.store(0, std::memory_order_relaxed);
}

void expect_rewrites() {
    if (rewrites_expected.exchange(true, std::memory_order_relaxed)) return;
    // Each only where nobody has asked for another.
    constexpr size_t kTrimOften = 65'536;
    size_t& interval = je_opt_tcache_gc_incr_bytes;
    if (__atomic_load_n(&interval, __ATOMIC_RELAXED) == kTrimSeldom) {
        __atomic_store_n(&interval, kTrimOften, __ATOMIC_RELAXED);
    }
    if (sys::address_space_limited()) return;
    constexpr const char* kName = "arena.0.oversize_threshold";
    constexpr size_t kJemallocs = size_t{8} << 20;
    size_t at_once = 0;
    size_t size = sizeof(at_once);
    if (je_mallctl(kName, &at_once, &size, nullptr, 0) != 0 || at_once != kJemallocs) return;
    at_once = kGivenBackAtOnce;
    je_mallctl(kName, nullptr, nullptr, &at_once, sizeof(at_once));
}

void give_cache_back() {
    je_mallctl("thread.tcache.flush", nullptr, nullptr, nullptr, 0);
    if (!ask_for_purge()) purge_arena(kAllArenas);
}

}  // namespace mpol::heap

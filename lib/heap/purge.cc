// SPDX-License-Identifier: Apache-2.0
#include "heap/purge.h"

#include <atomic>
#include <cstdint>
#include <iterator>

#include "heap/arenas.h"
#include "heap/hurry.h"
#include "heap/locks.h"
#include "heap/purge_batch.h"
#include "heap/task.h"
#include "sys/sys.h"

namespace mpol::heap {

namespace {

// What jemalloc makes of "arena.0.purge": taking the text apart costs as much as a purge of
// nothing. Whoever comes first writes it; others at the same time write the same. (There are no
// guards of static variables here.)
constinit std::atomic<size_t> name_words[3];
constinit std::atomic<bool> name_known{false};

// A purge of more takes long: milliseconds (hurry.h).
constexpr size_t kPagesInHurry = 1024;

constinit std::atomic<uint32_t> purging{0};
constinit std::atomic<bool> rewrites_expected{false};
constinit std::atomic<unsigned> given_back_at_once{0};
constinit std::atomic<bool> free_blocks_should_wait{false};
constinit std::atomic<bool> free_blocks_wait{false};

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

// For the length of a block, in which no arena is destroyed.
class Purging {
  public:
    // The free pages of an arena, or of all together; of those SIZE_MAX where they are more than most,
    // or in more arenas than can be counted in no time.
    size_t count(unsigned arena, size_t most) const {
        if (arena != kAllArenas) return count_of(arena);
        constexpr unsigned kArenasMax = 1024;
        const unsigned arenas = je_narenas_total_get();
        if (arenas > kArenasMax) return SIZE_MAX;
        size_t pages = 0;
        for (unsigned index = 0; index < arenas; ++index) {
            pages += count_of(index);
            if (pages > most) return SIZE_MAX;
        }
        return pages;
    }

    void purge(unsigned arena) {
        size_t mib[3];
        if (!read_name(mib)) return;
        mib[1] = arena;
        je_mallctlbymib(mib, std::size(mib), nullptr, nullptr, nullptr, 0);
    }

  private:
    static size_t count_of(unsigned index) {
        je_arena* const arena = arena_at(index);
        return arena == nullptr ? 0 : free_pages(arena);
    }

    struct Counted {
        Counted() { purging.fetch_add(1, std::memory_order_relaxed); }
        ~Counted() { purging.fetch_sub(1, std::memory_order_relaxed); }
        Counted(const Counted&) = delete;
        Counted& operator=(const Counted&) = delete;
    };
    const Inside<Gate> inside_{purge_gate};
    const Counted counted_;
    PurgeBatch batch_;
};

// Where only a few pages are free, by the calling thread: that takes no longer than calling
// another. False: nothing was done.
bool purge_a_few() {
    constexpr size_t kPagesMax = 16;
    Purging now;
    const size_t pages = now.count(kAllArenas, kPagesMax);
    if (pages > kPagesMax) return false;
    const unsigned arenas = pages == 0 ? 0 : je_narenas_total_get();
    for (unsigned index = 0; index < arenas; ++index) {
        if (now.count(index, kPagesMax) != 0) now.purge(index);
    }
    return true;
}

}  // namespace

void purge_arena(unsigned arena) {
    Purging now;
    const Unhurried unhurried(hurries() && now.count(arena, kPagesInHurry) > kPagesInHurry);
    now.purge(arena);
}

void purge_vacant_arena(unsigned index) {
    Purging now;
    je_arena* const arena = arena_at(index);  // The program may have destroyed it since.
    if (arena != nullptr && je_arena_nthreads_get(arena, false) == 0) now.purge(index);
}

bool is_purging() {
    return purging.load(std::memory_order_relaxed) != 0;
}

void forget_purges() {
    purging.store(0, std::memory_order_relaxed);
}

void expect_rewrites() {
    if (rewrites_expected.exchange(true, std::memory_order_relaxed)) return;
    // Only where nobody has asked for another interval.
    size_t& interval = je_opt_tcache_gc_incr_bytes;
    if (__atomic_load_n(&interval, __ATOMIC_RELAXED) == kTrimSeldom) {
        __atomic_store_n(&interval, kTrimOften, __ATOMIC_RELAXED);
    }
    let_free_blocks_wait();
}

void note_given_back(size_t size) {
    if (size < kGivenBackAtOnce || free_blocks_wait.load(std::memory_order_relaxed)) return;
    if (given_back_at_once.fetch_add(1, std::memory_order_relaxed) + 1 < kOften) return;
    free_blocks_should_wait.store(true, std::memory_order_relaxed);
    this_task.frees_by_default = Task::kFreesToLook - 1;  // It comes by at its next one.
}

void let_free_blocks_wait() {
    free_blocks_should_wait.store(false, std::memory_order_relaxed);
    if (free_blocks_wait.exchange(true, std::memory_order_relaxed)) return;
    if (sys::address_space_limited()) return;
    const sys::ErrnoGuard guard;
    constexpr const char* kName = "arena.0.oversize_threshold";
    size_t at_once = 0;
    size_t size = sizeof(at_once);
    // Only where nobody has asked for another size.
    if (je_mallctl(kName, &at_once, &size, nullptr, 0) != 0 || at_once != kGivenBackAtOnce) return;
    at_once = kWaitingMax;
    je_mallctl(kName, nullptr, nullptr, &at_once, sizeof(at_once));
}

void settle_free_blocks() {
    if (free_blocks_should_wait.load(std::memory_order_relaxed)) let_free_blocks_wait();
}

void give_cache_back() {
    je_mallctl("thread.tcache.flush", nullptr, nullptr, nullptr, 0);
    if (!purge_a_few() && !ask_for_purge()) purge_arena(kAllArenas);
}

}  // namespace mpol::heap

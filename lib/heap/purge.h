// SPDX-License-Identifier: Apache-2.0
// Giving jemalloc's free memory back to the kernel: after a rewrite it would be handed out again with
// the pages that the old policy placed. A purge takes the kernel milliseconds for each GiB; nothing of
// ours is held meanwhile, and other threads go on allocating.
#pragma once

#include <cstddef>

namespace mpol::heap {

inline constexpr unsigned kAllArenas = 4096;  // MALLCTL_ARENAS_ALL

// Dirty extents. Returns at once where another thread is at the same arena.
void purge_arena(unsigned arena);

// The same, where no thread allocates from it.
void purge_vacant_arena(unsigned index);

// Somebody is in the middle of it: who flushes his cache now waits for the locks of jemalloc's that
// it has. Only a hint.
[[nodiscard]] bool is_purging();
// In a forked child: whoever was is lost.
void forget_purges();

// When something is asked for. Until then caches are trimmed seldom (kTrimSeldom, in je_malloc_conf),
// from then on as often as by jemalloc: at a rewrite, what they hold may be used again where it
// lies. Free blocks wait from then on, too, as a fault is slower under a policy.
inline constexpr size_t kTrimSeldom = 1'000'000;  // bytes allocated
inline constexpr size_t kTrimOften = 65'536;
void expect_rewrites();

// Arena 0 gives free memory back at once where 8 MiB of it lie together. (It is made before
// malloc_conf is read, whose "oversize_threshold:0" leaves that to the decay.) A program that replaces
// blocks of some MiB faults each of them anew then, which takes thirty times as long as the rest of
// an allocation; one that does it a few times has a lower peak. So this is counted, and where it
// has happened kOften times, kWaitingMax and more have to lie together. Not under RLIMIT_AS, where
// regions are small: jemalloc uses no free block of some MiB for small objects before it has given
// it back.
inline constexpr size_t kGivenBackAtOnce = size_t{8} << 20;
inline constexpr size_t kWaitingMax = size_t{16} << 20;
inline constexpr unsigned kOften = 16;
// By jemalloc, which may hold locks of its own.
void note_given_back(size_t size);
// Outside of jemalloc's locks; errno is preserved.
void let_free_blocks_wait();
void settle_free_blocks();  // where it has happened so often

// The calling thread's cache. Flushed, it empties slabs, which become dirty extents after those that
// were purged when the policy was applied. The helper thread purges these, but for a few (by the
// thread itself it would make the longest pause of a rewrite three times as long). What the thread
// allocates before the helper gets to it may still have old pages: at most what was in the cache.
void give_cache_back();

// Supplied by whoever links the heap: have all arenas purged soon, by another thread. False: there is
// none that does it, and the thread does it itself.
[[nodiscard]] bool ask_for_purge();

}  // namespace mpol::heap

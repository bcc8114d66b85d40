// SPDX-License-Identifier: Apache-2.0
// Giving jemalloc's dirty extents back to the kernel: after a rewrite they would be handed out again
// with the pages that the old policy placed. Takes the kernel milliseconds for each GiB, so nothing
// of ours is held meanwhile; other threads go on allocating.
//
// Two purges of one arena don't add up: jemalloc lets the second return at once, and what became
// dirty since the first began is left. So each says which arena it is at.
#pragma once

#include <cstdint>

namespace mpol::heap {

// A thread that finds its arena being purged waits this long, and then leaves it to the helper; most
// arenas are done by then.
inline constexpr uint64_t kPurgeWaitNs = 1'000'000;

// Skips an arena that another thread is at.
void purge_arena(unsigned arena);
void purge_all_arenas();

// The calling thread's cache is given back, through its slabs to extents that nobody has seen yet:
// those of its own arena, which it would be handed again at once, are purged here, all others by the
// helper thread.
void give_cache_back();

// Supplied by whoever links the heap: have all arenas purged soon, by another thread. False: there is
// none that does it.
[[nodiscard]] bool ask_for_purge();

// In a forked child: nobody is purging.
void renew_purges();

}  // namespace mpol::heap

// SPDX-License-Identifier: Apache-2.0
// The cache of a thread that frees what others have allocated, and allocates nothing. jemalloc
// gives a thread its cache when it first allocates; without one each free takes a lock, the
// allocating thread's among them. With one these frees, and the others' allocations, are two to
// three times as fast.
//
// Such a cache has no arena with it, as jemalloc would make: it is as if the thread were of the
// first one, until it does allocate. What it holds (up to half a MiB) is given back about every 64
// KiB where the heap is small; where it is so small that even that is much of it, there is none.
//
// Never allocates for the program, prints, exits or throws; errno is not preserved. Not
// async-signal-safe, as free is not.
#pragma once

#include <cstdint>

namespace mpol::heap {

// Of a heap: for each thread that has one, and for each that holds as much as it can.
inline constexpr uint64_t kHeapPerFreeCache = uint64_t{2} << 20;
inline constexpr uint64_t kHeapPerFullFreeCache = uint64_t{32} << 20;

// By a thread that frees, where jemalloc's cache could not take the block or was not there: gives
// it one, or looks after the one that it was given. False: the block is to go past it.
bool look_after_free_cache(void* block);

// The thread's cache is none any more.
void leave_free_cache();

// In a forked child, by its only thread.
void count_free_caches_anew();

}  // namespace mpol::heap

// SPDX-License-Identifier: Apache-2.0
// What threads hold of other scopes' memory until enough has come together to take it home: one
// batch for each thread slot, bounded in objects and in bytes. Its thread flushes it at a bound and
// when it exits, and the helper thread does when nothing was freed into it for kSweepNs. Without a
// helper (MPOL_HELPER=0) an idle thread keeps its batch, within the bounds.
//
// A list of our own and not a jemalloc cache (tcache.create): such a cache is freed and made anew by
// every flush, can't be flushed in a forked child (jemalloc has forgotten it there), and is bounded
// in objects of each size only. What a flush costs is the same within a tenth.
//
// A batch is used by whoever has taken it: its thread for one free, or the helper for one flush.
// Neither waits; a free that finds its batch taken goes straight home. Only threads that free
// another scope's memory ever come here. Never called inside jemalloc's locks.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mpol::preload {

// Enough that an owner's locks change hands rarely; more changed nothing that could be measured.
inline constexpr uint32_t kHeldObjectsMax = 256;
// Per thread: of a thousand threads, a quarter of a gigabyte at most, for two seconds.
inline constexpr uint32_t kHeldBytesMax = uint32_t{256} << 10;
// Larger ones go straight home, as jemalloc's own caches by default take none that are larger.
inline constexpr size_t kHeldObjectBytesMax = size_t{32} << 10;
// An idle thread's batch goes home after one to two of these.
inline constexpr int64_t kSweepNs = 1'000'000'000;

// The calling thread frees an object of another scope.
void free_foreign(void* pointer);

// The calling thread exits: what it holds of others' goes back.
void flush_foreign();

// The helper thread's part: flushes what has lain untouched, and says in how many nanoseconds it is to
// be called again; -1: nobody holds anything, and whoever does first calls the helper.
[[nodiscard]] int64_t sweep_foreign();

// In a forked child: what was taken at that moment, by a thread that does not exist here, is lost.
void inherit_foreign();
// In its only thread: takes the rest home.
void flush_inherited();

}  // namespace mpol::preload

// SPDX-License-Identifier: Apache-2.0
// Regions: large stretches of reserved address space, each owned by one scope, out of which the
// extents of that scope's arenas are carved. A policy is bound to whole regions, so a rewrite costs
// one mbind for each, whatever the number of allocations.
//
//     start                    carved            committed                    start + size
//       |  in jemalloc's hands    |   read-write     |   PROT_NONE, reserved       |
//
// Neighbours of one scope grow as one: a piece may begin in a region and end in the next, which
// then begins with carved bytes of it. So a heap is two mappings, whatever its size, as long as
// nobody else maps in its way.
//
// Carving is a compare-and-swap on `carved`, inside the scope's growth gate (locks.h): it waits
// only for one who holds everything off. Nothing is ever given back to the kernel as address space:
// jemalloc keeps what it was given (opt.retain), and an unmapped range would lose its policy.
//
// Memory that can't be had as a region (address space limits) is mapped plainly, follows the
// task policy, and is counted in MPOL_CTL_UNMANAGED_BYTES.
//
// Never allocates, prints, exits or throws; errno is preserved; safe in any thread.
#pragma once

#include <sys/uio.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "control/bound.h"
#include "mpol/control.h"
#include "policy/stretches.h"

namespace mpol::heap {

using ScopeId = uint16_t;
inline constexpr ScopeId kProcessScope = 0;
// jemalloc 5.3 has at most 4,094 arenas (MALLOCX_ARENA_LIMIT); each thread scope takes one.
inline constexpr unsigned kScopesMax = 4094;

// The unit of the owner table, and the smallest region: large enough that a heap of tens of
// gigabytes has tens of regions, small enough that 4,000 scopes fit in 47 bits of addresses.
inline constexpr unsigned kRegionShift = 30;
inline constexpr size_t kRegionBytesMin = size_t{1} << kRegionShift;

// A heap of this size gets the helper thread: below, rebinding waits for the program's next call.
inline constexpr uint64_t kLargeHeapBytes = uint64_t{32} << 20;

struct Region {
    std::atomic<uintptr_t> start;  // published last; 0: not ready, or given up
    size_t size;
    ScopeId scope;
    // Where its nodes have weights. Zeros, or all rows would lie in the library's file.
    StretchLayout layout{.mappings = 0, .granule_shift = 0, .heap_gib = 0};
    std::atomic<size_t> carved;
    std::atomic<size_t> committed;
    std::atomic<uint64_t> bound;  // control::BoundWords of the last mbind; 0: none
    std::atomic<uint64_t> bound_nodes;
    std::atomic<uint64_t> bound_weights[control::kBoundWeightWords];
    std::atomic<bool> mirrored;  // its row of the segment is backed by memory
};

// Hands out size bytes of the scope, zeroed and read-write. size and alignment (a power of two) are
// multiples of the page size. nullptr: no memory.
[[nodiscard]] void* carve(ScopeId scope, size_t size, size_t alignment);

// Supplied by whoever links the heap; carve calls it, inside jemalloc's locks, in a copy of the
// process that no fork handler saw (raw clone). From its return on nothing of the original's
// segment is written.
void meet_copy();

// Takes a carved piece back: its pages at once, its addresses only where it was the last piece.
// False: at is in no region. Walks the directory; for jemalloc's rare munmap.
bool uncarve(void* at, size_t size);

// madvise(2) that makes pages go away, or may (MADV_DONTNEED, MADV_FREE). 0 or -errno.
int give_back_pages(void* at, size_t size, int advice);
// MADV_DONTNEED of several stretches of the scope's in one call. False: one at a time instead, because
// the kernel does not take them together or somebody is to be told of each.
[[nodiscard]] bool give_back_together(ScopeId scope, const iovec* stretches, unsigned count);
// The calling thread's give_back_pages there does nothing any more, as these pages have gone already.
// nullptr: it does again.
void tell_gone(const void* at);

// Rows 0..region_count()-1; rows whose start is 0 are to be skipped.
[[nodiscard]] unsigned region_count();
[[nodiscard]] Region& region_at(unsigned row);

// Who owns the memory at address: kProcessScope for memory that is in no region, too.
[[nodiscard]] ScopeId owner_of(const void* address);

// What a region was bound to, for its row of the segment. Two threads that bind it at once tell the
// same in the end: both go on until the scope's binding is what they used.
void tell_bound(Region& region, unsigned row, const control::BoundWords& words);

[[nodiscard]] bool in_region(const void* address);

// Bytes reserved in regions, all scopes.
[[nodiscard]] size_t reserved_bytes();

// Writes every region into the local segment, after it was replaced (fork).
void mirror_regions();

}  // namespace mpol::heap

// SPDX-License-Identifier: Apache-2.0
#include "heap/regions.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>

#include "control/segment.h"
#include "heap/notify.h"
#include "heap/owner_table.h"
#include "heap/scopes.h"
#include "heap/task.h"
#include "heap/weighted.h"
#include "sys/fail_point.h"
#include "sys/sys.h"

namespace mpol::heap {

using control::local;

constinit OwnerTable owners;

namespace {

constexpr size_t kPage = 4096;
constexpr size_t kHugePage = size_t{2} << 20;

// Past this much, a new region is an eighth of what is reserved already: a terabyte of heap is
// about 50 regions, and at most an eighth of the address space is taken too early.
constexpr size_t kGrowthShift = 3;
constexpr size_t kRegionBytesMax = size_t{64} << 30;

constinit Region regions[MPOL_CTL_REGIONS]{};
constinit std::atomic<uint32_t> regions_claimed{0};
constinit std::atomic<size_t> reserved{0};
thread_local constinit const void* gone MPOL_TLS = nullptr;
// Where the last region ended, of the process's and of the threads' scopes: neighbours are one
// mapping, are bound by one system call, and cost one to reserve instead of three.
constinit std::atomic<uintptr_t> next_hints[2];

// The process's first region leaves this much above itself, up to where the kernel puts mappings by
// itself, which it does from the top down.
constexpr uintptr_t kRoomAbove = uintptr_t{256} << 30;

uintptr_t first_hint() {
    const auto near_top = reinterpret_cast<uintptr_t>(&next_hints);
    return near_top > 2 * kRoomAbove ? (near_top - kRoomAbove) & ~(kRegionBytesMin - 1) : 0;
}

std::atomic<uintptr_t>& next_hint(ScopeId scope) {
    return next_hints[scope == kProcessScope ? 0 : 1];
}

constexpr size_t round_up(size_t size, size_t unit) {
    return (size + unit - 1) & ~(unit - 1);
}

struct Range {
    uintptr_t start = 0;
    size_t size = 0;
};

// Reserves size bytes (a multiple of kRegionBytesMin) aligned to kRegionBytesMin.
Range reserve_aligned(ScopeId scope, size_t size) {
    int err = 0;
    if (fail_point(sys::FailPoint::kRegionReserve) != 0) return {};
    uintptr_t wanted = next_hint(scope).load(std::memory_order_relaxed);
    if (wanted == 0 && scope == kProcessScope) wanted = first_hint();
    auto* const hint = reinterpret_cast<void*>(wanted);
    void* at = sys::reserve(hint, hint != nullptr ? size : size + kRegionBytesMin, PROT_NONE, err);
    if (at == MAP_FAILED) return {};
    auto start = reinterpret_cast<uintptr_t>(at);
    if (hint != nullptr) {
        if (start % kRegionBytesMin == 0) return {start, size};
        sys::unmap(at, size);
        at = sys::reserve(nullptr, size + kRegionBytesMin, PROT_NONE, err);
        if (at == MAP_FAILED) return {};
        start = reinterpret_cast<uintptr_t>(at);
    }
    const uintptr_t aligned = round_up(start, kRegionBytesMin);
    if (aligned > start) sys::unmap(at, aligned - start);
    const uintptr_t tail = start + kRegionBytesMin - aligned;
    if (tail > 0) sys::unmap(reinterpret_cast<void*>(aligned + size), tail);
    return {aligned, size};
}

// Reserves size bytes aligned to alignment, and nothing around them: under an address space limit,
// no more than jemalloc itself would have taken (it asks in steps that grow with the heap).
Range reserve_exactly(size_t size, size_t alignment, int prot, int& ret_errno) {
    const size_t slack = alignment - kPage;
    if (const int refused = fail_point(sys::FailPoint::kRegionReserve); refused != 0) {
        ret_errno = -refused;
        return {};
    }
    void* at = sys::reserve(nullptr, size + slack, prot, ret_errno);
    if (at == MAP_FAILED) return {};
    const auto start = reinterpret_cast<uintptr_t>(at);
    const uintptr_t aligned = round_up(start, alignment);
    if (aligned > start) sys::unmap(at, aligned - start);
    const size_t tail = start + slack - aligned;
    if (tail > 0) sys::unmap(reinterpret_cast<void*>(aligned + size), tail);
    return {aligned, size};
}

Range reserve_range(ScopeId scope, size_t size, size_t alignment, int& ret_errno) {
    if (!sys::address_space_limited()) {
        const size_t needed = size + (alignment - kPage);
        const size_t growth =
            std::min(reserved.load(std::memory_order_relaxed) >> kGrowthShift, kRegionBytesMax);
        const Range range = reserve_aligned(
            scope, round_up(std::max({needed, growth, kRegionBytesMin}), kRegionBytesMin));
        if (range.size != 0) return range;
    }
    return reserve_exactly(size, alignment, PROT_NONE, ret_errno);
}

// False: there is no memory for them.
bool mirror_weights(unsigned row) {
    mpol_ctl_region_weights& out = local.weights[row];
    if (!control::back_rows(&out, sizeof(out))) return false;
    for (unsigned i = 0; i < control::kBoundWeightWords; ++i) {
        control::store(out.weights[i],
                       uint64_t{regions[row].bound_weights[i].load(std::memory_order_relaxed)});
    }
    return true;
}

void mirror_bound(unsigned row) {
    const Region& region = regions[row];
    mpol_ctl_region& out = local.regions[row];
    uint64_t bound = region.bound.load(std::memory_order_relaxed);
    control::store(out.bound, control::kBoundChanging);
    control::store(out.bound_nodes, region.bound_nodes.load(std::memory_order_relaxed));
    if ((bound & control::kBoundOwnWeights) != 0 && !mirror_weights(row)) {
        bound = (bound & ~control::kBoundOwnWeights) | control::kBoundIncomplete;
    }
    control::store(out.bound, bound);
}

void mirror(unsigned row) {
    const Region& region = regions[row];
    mpol_ctl_region& out = local.regions[row];
    if (fail_point(sys::FailPoint::kRegionMirror) != 0) return;
    if (!control::back_rows(&out, sizeof(out))) return;
    regions[row].mirrored.store(true, std::memory_order_release);
    control::store(out.size, uint64_t{region.size});
    control::store(out.scope, uint32_t{region.scope});
    control::store(out.stretches, encode(layout_in_force(region.layout)));
    control::store(out.carved, uint64_t{region.carved.load(std::memory_order_relaxed)});
    control::store(out.committed, uint64_t{region.committed.load(std::memory_order_relaxed)});
    mirror_bound(row);
    control::store(out.start, uint64_t{region.start.load(std::memory_order_relaxed)});
}

// Returns the row, or MPOL_CTL_REGIONS when none could be had.
unsigned create_region(ScopeId scope, size_t size, size_t alignment) {
    int err = 0;
    StretchLayout place;
    place.heap_gib = static_cast<uint32_t>(
        std::min<uint64_t>(scope_at(scope).reserved.load() >> kGibShift, kHeapGibMax));
    const size_t before = begin_of_piece(place, 0, size);
    Range range = reserve_range(scope, size + before, alignment, err);
    if (range.size == 0 && before != 0) range = reserve_range(scope, size, alignment, err);
    if (range.size == 0) {
        control::record_error(MPOL_CTL_ERROR_REGION, err, size);
        return MPOL_CTL_REGIONS;
    }
    const uint32_t row = regions_claimed.fetch_add(1, std::memory_order_acq_rel);
    if (row >= MPOL_CTL_REGIONS) {
        regions_claimed.store(MPOL_CTL_REGIONS, std::memory_order_relaxed);
        sys::unmap(reinterpret_cast<void*>(range.start), range.size);
        control::record_error(MPOL_CTL_ERROR_REGION, ENOSPC, size);  // No row is left.
        return MPOL_CTL_REGIONS;
    }
    (void)fail_point(sys::FailPoint::kRegionClaim);
    next_hint(scope).store(range.start + range.size, std::memory_order_relaxed);
    reserved.fetch_add(range.size, std::memory_order_relaxed);
    Region& region = regions[row];
    region.size = range.size;
    region.scope = scope;
    region.layout = allot_layout(scope_at(scope).reserved.fetch_add(range.size), range.size);
    (void)fail_point(sys::FailPoint::kRegionEnter);
    owners.enter(range.start, range.size, scope);
    region.start.store(range.start, std::memory_order_release);
    mirror(row);
    control::store(local.header.regions_used, std::min(row + 1, MPOL_CTL_REGIONS));
    control::count(MPOL_CTL_RESERVED_BYTES, range.size);
    (void)fail_point(sys::FailPoint::kRegionBind);
    bind_new_region(region, row);
    return row;
}

// Of a region that starts there. Where a part can't be had because there are too many mappings (in
// a forked child the two sides of the cut stay two), the whole rest can: it is one mapping already.
// 0, and how far it is committed; or -errno.
int commit_between(uintptr_t start, size_t from, size_t& to, size_t region_size) {
    auto* const at = reinterpret_cast<void*>(start + from);
    const int err = sys::protect(at, to - from, PROT_READ | PROT_WRITE);
    if (err != -ENOMEM || sys::protect(at, region_size - from, PROT_READ | PROT_WRITE) != 0) {
        return err;
    }
    to = region_size;
    return 0;
}

bool commit(Region& region, unsigned row, size_t end) {
    size_t committed = region.committed.load(std::memory_order_acquire);
    if (end <= committed) return true;
    size_t wanted = std::min(round_up(end, kHugePage), region.size);
    const auto start = region.start.load(std::memory_order_relaxed);
    // From where this thread knows it committed: another's mprotect of the same part is harmless.
    int err = fail_point(sys::FailPoint::kRegionCommit);
    if (err == 0) err = commit_between(start, committed, wanted, region.size);
    if (err != 0) {
        control::record_error(MPOL_CTL_ERROR_COMMIT, -err, start, wanted);
        return false;
    }
    while (committed < wanted &&
           !region.committed.compare_exchange_weak(committed, wanted, std::memory_order_acq_rel)) {
    }
    if (region.mirrored.load(std::memory_order_acquire)) {
        control::store(local.regions[row].committed,
                       uint64_t{region.committed.load(std::memory_order_relaxed)});
    }
    return true;
}

// Commits the region up to end, which was carved, and tells so.
bool commit_carved(unsigned row, size_t end) {
    Region& region = regions[row];
    if (!commit(region, row, end)) return false;
    if (region.mirrored.load(std::memory_order_acquire)) {
        control::store(local.regions[row].carved, uint64_t{end});
    }
    return true;
}

void* handed_out(uintptr_t at, size_t size) {
    const uint64_t total =
        control::add(local.header.counters[MPOL_CTL_CARVED_BYTES], uint64_t{size});
    // Rings the doorbell: the next allocator call of any thread finds the heap worth a helper.
    if (total < kLargeHeapBytes && total + size >= kLargeHeapBytes) {
        control::add(local.header.epoch, uint32_t{1});
    }
    return reinterpret_cast<void*>(at);
}

// Where in the region a piece begins of which carved are gone. False: it has no room. fresh: there
// is no better region for it.
bool place_piece(const Region& region, uintptr_t base, size_t carved, size_t size, size_t alignment,
                 bool fresh, size_t& ret_begin) {
    const auto has_room = [&](size_t begin) {
        return begin <= region.size && region.size - begin >= size;
    };
    const size_t next = round_up(base + carved, alignment) - base;
    ret_begin = round_up(base + begin_of_piece(region.layout, next, size), alignment) - base;
    if (has_room(ret_begin)) return true;
    ret_begin = next;
    return fresh && has_room(next);
}

// nullptr when the region has no room left; ret_no_memory when the kernel refuses to commit
// (mprotect, which plain jemalloc never asks).
void* carve_from(unsigned row, size_t size, size_t alignment, bool fresh, bool& ret_no_memory) {
    Region& region = regions[row];
    const uintptr_t base = region.start.load(std::memory_order_acquire);
    size_t carved = region.carved.load(std::memory_order_relaxed);
    size_t begin = 0;
    do {
        if (!place_piece(region, base, carved, size, alignment, fresh, begin)) return nullptr;
    } while (!region.carved.compare_exchange_weak(carved, begin + size, std::memory_order_acq_rel));
    (void)fail_point(sys::FailPoint::kRegionCarve);
    const Notice notice(MPOL_EVENT_MAP, reinterpret_cast<void*>(base + begin), size);
    if (!commit_carved(row, begin + size)) {
        ret_no_memory = true;
        size_t end = begin + size;
        region.carved.compare_exchange_strong(end, begin);
        return nullptr;
    }
    return handed_out(base + begin, size);
}

// What is left of the full region and the beginning of the new one, which nobody else carves from
// yet, where they are neighbours. Without a gap between what is carved, a heap that grows stays one
// mapping, and a rewrite walks mappings. nullptr: not neighbours, or as carve_from; or the piece is
// to begin in the new one (begin_of_piece), and what is left is nobody's.
void* carve_across(unsigned full, unsigned row, size_t size, size_t alignment,
                   bool& ret_no_memory) {
    Region& region = regions[full];
    Region& next = regions[row];
    const uintptr_t base = region.start.load(std::memory_order_acquire);
    if (next.start.load(std::memory_order_relaxed) != base + region.size) return nullptr;
    size_t carved = region.carved.load(std::memory_order_relaxed);
    size_t begin = 0;
    bool begins_in_next = false;
    do {
        begin = round_up(base + carved, alignment) - base;
        begins_in_next = begin_of_piece(region.layout, begin, size) != begin;
        const bool has_room = region.size - begin >= size && !begins_in_next;
        if (begin >= region.size || has_room) return nullptr;
    } while (!region.carved.compare_exchange_weak(carved, region.size, std::memory_order_acq_rel));
    (void)fail_point(sys::FailPoint::kRegionCarve);
    if (begins_in_next) {
        (void)commit_carved(full, region.size);
        return nullptr;
    }
    const size_t rest = size - (region.size - begin);
    next.carved.store(rest, std::memory_order_release);
    const Notice notice(MPOL_EVENT_MAP, reinterpret_cast<void*>(base + begin), size);
    if (!commit_carved(full, region.size) || !commit_carved(row, rest)) {
        ret_no_memory = true;
        next.carved.store(0, std::memory_order_relaxed);
        size_t end = region.size;
        region.carved.compare_exchange_strong(end, begin);
        return nullptr;
    }
    return handed_out(base + begin, size);
}

// The way of last resort, and what plain jemalloc would have done.
void* map_plainly(size_t size, size_t alignment) {
    int err = 0;
    const Range range = reserve_exactly(size, alignment, PROT_READ | PROT_WRITE, err);
    if (range.size == 0) return nullptr;
    const Notice notice(MPOL_EVENT_MAP, reinterpret_cast<void*>(range.start), size);
    control::count(MPOL_CTL_UNMANAGED_BYTES, size);
    return reinterpret_cast<void*>(range.start);
}

void* carve_own(ScopeId scope, size_t size, size_t alignment) {
    const Inside inside(scope_at(scope).growth);
    std::atomic<uint32_t>& current = scope_at(scope).current_region;
    bool no_memory = false;
    const uint32_t seen = current.load(std::memory_order_acquire);
    if (seen != kNoRegion) {
        if (void* at = carve_from(seen - 1, size, alignment, false, no_memory)) return at;
        if (no_memory) return map_plainly(size, alignment);
    }
    const unsigned row = create_region(scope, size, alignment);
    if (row == MPOL_CTL_REGIONS) return map_plainly(size, alignment);
    void* at = nullptr;
    if (seen != kNoRegion) at = carve_across(seen - 1, row, size, alignment, no_memory);
    if (at == nullptr && !no_memory) at = carve_from(row, size, alignment, true, no_memory);
    // Another thread may have made a region meanwhile: the later one is used up first.
    if (at != nullptr || no_memory) current.store(row + 1, std::memory_order_release);
    return no_memory ? map_plainly(size, alignment) : at;
}

}  // namespace

void* carve(ScopeId scope, size_t size, size_t alignment) {
    if (__builtin_expect(control::copied(), 0)) meet_copy();
    void* const at = carve_own(scope, size, alignment);
    if (at != nullptr || scope == kProcessScope) return at;
    // The kernel allows no more mappings (vm.max_map_count) or memory, and plain jemalloc would go
    // on in what it has: so does the scope, in what the process has reserved. As of all memory that
    // is in no region of its scope, the process is its owner.
    return carve_own(kProcessScope, size, alignment);
}

int give_back_pages(void* at, size_t size, int advice) {
    if (at == gone) return 0;
    if (__builtin_expect(control::copied(), 0)) meet_copy();
    const Inside inside(scope_at(owner_of(at)).growth);
    const Notice notice(MPOL_EVENT_UNMAP, at, size);
    return sys::advise(at, size, advice);
}

bool give_back_together(ScopeId scope, const iovec* stretches, unsigned count) {
    if (__builtin_expect(control::copied(), 0)) meet_copy();
    static constinit std::atomic<bool> not_taken{false};
    if (not_taken.load(std::memory_order_relaxed)) return false;
    size_t bytes = 0;
    for (unsigned i = 0; i < count; ++i) bytes += stretches[i].iov_len;
    const Inside inside(scope_at(scope).growth);
    if (anybody_listens()) return false;
    const ssize_t advised = sys::advise_together(stretches, count, MADV_DONTNEED);
    if (advised == -EBADF || advised == -ENOSYS || advised == -EPERM) {
        not_taken.store(true, std::memory_order_relaxed);
    }
    return advised >= 0 && static_cast<size_t>(advised) == bytes;
}

void tell_gone(const void* at) {
    gone = at;
}

bool uncarve(void* at, size_t size) {
    if (__builtin_expect(control::copied(), 0)) meet_copy();
    const ScopeId scope = owner_of(at);
    const Inside inside(scope_at(scope).growth);
    const uint32_t seen = scope_at(scope).current_region.load(std::memory_order_acquire);
    for (unsigned row = 0; row < region_count(); ++row) {
        Region& region = regions[row];
        const uintptr_t start = region.start.load(std::memory_order_acquire);
        const uintptr_t offset = reinterpret_cast<uintptr_t>(at) - start;
        if (start == 0 || offset >= region.size) continue;
        const Notice notice(MPOL_EVENT_UNMAP, at, size);
        sys::advise(at, size, MADV_DONTNEED);
        size_t end = offset + size;  // Past the region's where a piece reaches into the next.
        // The last piece of the region in use can be carved again; any other stays jemalloc's.
        if (seen == row + 1) region.carved.compare_exchange_strong(end, offset);
        return true;
    }
    return false;
}

unsigned region_count() {
    return std::min(regions_claimed.load(std::memory_order_acquire), MPOL_CTL_REGIONS);
}

Region& region_at(unsigned row) {
    return regions[row];
}

ScopeId owner_of(const void* address) {
    const ScopeId owner = owners.look_up(address);
    if (owner != OwnerTable::kMixed) return owner;
    const auto at = reinterpret_cast<uintptr_t>(address);
    for (unsigned row = 0; row < region_count(); ++row) {
        const uintptr_t start = regions[row].start.load(std::memory_order_acquire);
        if (start != 0 && at - start < regions[row].size) return regions[row].scope;
    }
    return kProcessScope;
}

void tell_bound(Region& region, unsigned row, const control::BoundWords& words) {
    region.bound_nodes.store(words.nodes, std::memory_order_relaxed);
    for (unsigned i = 0; i < control::kBoundWeightWords; ++i) {
        region.bound_weights[i].store(words.weights[i], std::memory_order_relaxed);
    }
    region.bound.store(words.bound, std::memory_order_relaxed);
    if (region.mirrored.load(std::memory_order_acquire)) mirror_bound(row);
}

bool in_region(const void* address) {
    const auto at = reinterpret_cast<uintptr_t>(address);
    for (unsigned row = 0; row < region_count(); ++row) {
        const uintptr_t start = regions[row].start.load(std::memory_order_acquire);
        if (start != 0 && at - start < regions[row].size) return true;
    }
    return false;
}

size_t reserved_bytes() {
    return reserved.load(std::memory_order_relaxed);
}

void mirror_regions() {
    const unsigned count = region_count();
    for (unsigned row = 0; row < count; ++row) {
        if (regions[row].start.load(std::memory_order_acquire) != 0) mirror(row);
    }
    size_t carved = 0;
    for (unsigned row = 0; row < count; ++row) {
        carved += regions[row].carved.load(std::memory_order_relaxed);
    }
    control::store(local.header.regions_used, uint32_t{count});
    control::store(local.header.counters[MPOL_CTL_CARVED_BYTES], uint64_t{carved});
    control::store(local.header.counters[MPOL_CTL_RESERVED_BYTES], uint64_t{reserved_bytes()});
}

}  // namespace mpol::heap

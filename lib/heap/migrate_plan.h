// SPDX-License-Identifier: Apache-2.0
// What a migration decides without looking at the world: where a page has to go, how many pages the
// next batch takes, when it may begin, and what a refusal is counted as.
// Pure values: no allocation, no system call, async-signal-safe.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include "heap/scopes.h"
#include "mpol/control.h"
#include "policy/placement.h"

namespace mpol::heap {

inline constexpr unsigned kPageShift = 12;
inline constexpr unsigned kHugeShift = 21;
inline constexpr uint64_t kPageBytes = uint64_t{1} << kPageShift;
inline constexpr uint64_t kHugeBytes = uint64_t{1} << kHugeShift;
inline constexpr unsigned kPagesPerHuge = 1U << (kHugeShift - kPageShift);

// --- How much at a time. A thread that touches a page of a batch waits for that batch: the bound
// is what no fault may wait longer than, the aim leaves room for a machine that suddenly slows
// down.
inline constexpr uint64_t kBatchBoundNs = 20'000'000;
inline constexpr uint64_t kBatchAimNs = 4'000'000;
static_assert(kBatchAimNs * 4 < kBatchBoundNs);
// The first batches tell how fast the machine is; 64 KiB take well below the aim anywhere.
inline constexpr unsigned kBatchPagesMin = 16;
inline constexpr unsigned kBatchPagesMax = kPagesPerHuge;

// pages: what a batch may take now; used: what the last one took, in took_ns of processor time.
// What the clock on the wall adds is spent before any page is taken (lru_add_drain_all waits for
// every processor), or for want of a processor: a smaller batch would make neither shorter, and
// many small ones wait more often.
[[nodiscard]] constexpr unsigned next_batch_pages(unsigned pages, unsigned used, uint64_t took_ns) {
    if (took_ns > kBatchAimNs) {
        const uint64_t fit = uint64_t{used} * kBatchAimNs / took_ns;
        return std::max(kBatchPagesMin, std::min(pages, static_cast<unsigned>(fit)));
    }
    if (used < pages) return pages;
    return took_ns > kBatchAimNs / 2 ? pages : std::min(pages * 2, kBatchPagesMax);
}

// When the next batch may begin, so that no stretch of time sees more than its bytes and one batch.
// Precondition: bytes are those of a batch, at most a huge page.
[[nodiscard]] constexpr uint64_t next_begin_ns(uint64_t began_ns, uint64_t bytes,
                                               uint64_t bytes_per_second) {
    if (bytes_per_second == 0) return began_ns;
    return began_ns + bytes * 1'000'000'000 / bytes_per_second;
}

// --- Where to.

[[nodiscard]] constexpr bool names_nodes(const Binding& binding) {
    return binding.set && !binding.effective.empty();
}

// The policy lets a page go to any of its nodes, so another one will do when one is full.
[[nodiscard]] constexpr bool takes_any_of_its_nodes(Mode mode) {
    return mode == Mode::kBind || mode == Mode::kPreferredMany;
}

struct PagePlace {
    uint64_t address = 0;
    unsigned node = 0;  // where it lies
    bool huge = false;
    bool short_index = false;  // linux before 6.7, mm/mempolicy.c offset_il_node
};

// The node of a mask that has n nodes below it, n modulo their number.
[[nodiscard]] constexpr unsigned nth_node(const NodeMask& nodes, uint64_t n) {
    unsigned node = nodes.first();
    for (n %= nodes.weight(); n > 0; --n) node = nodes.next(node + 1);
    return node;
}

// Where a page has to go; kAnyNode: it may stay. full: nodes without room, which are passed over
// where the policy allows. With several nodes that will do (bind, prefer (many)): the home node,
// else huge page by huge page in turn, so that they share the load and a huge page's parts stay
// together.
[[nodiscard]] constexpr int destination(const Binding& binding, const PagePlace& page,
                                        const KernelWeights& weights, const NodeMask& full = {}) {
    const Mode mode = binding.policy.mode;
    if (!takes_any_of_its_nodes(mode)) {
        uint64_t index = page.address >> (page.huge ? kHugeShift : kPageShift);
        if (page.short_index) index = static_cast<uint32_t>(index);
        const int home = node_of_page(mode, binding.effective, index, weights);
        return home == static_cast<int>(page.node) ? kAnyNode : home;
    }
    if (binding.effective.test(page.node)) return kAnyNode;
    const NodeMask open = binding.effective - full;
    if (open.empty()) return kAnyNode;
    const int32_t home = binding.policy.home_node;
    if (home >= 0 && open.test(static_cast<unsigned>(home))) return home;
    return static_cast<int>(nth_node(open, page.address >> kHugeShift));
}

// --- What a page's status, or the call's result, is counted as.
[[nodiscard]] constexpr mpol_ctl_migration_failure failure_of(int err) {
    switch (err) {
        case -EBUSY:
        case -EAGAIN:
            return MPOL_CTL_MIGRATION_BUSY;
        case -ENOMEM:
            return MPOL_CTL_MIGRATION_NO_MEMORY;
        case -EACCES:
            return MPOL_CTL_MIGRATION_SHARED;
        default:
            return MPOL_CTL_MIGRATION_OTHER;
    }
}

}  // namespace mpol::heap

// SPDX-License-Identifier: Apache-2.0
#include "heap/migrate_walk.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "heap/huge_pages.h"
#include "heap/weighted.h"
#include "policy/stretches.h"
#include "sys/sys.h"

namespace mpol::heap {
namespace {

// Chunks with nothing to move that one call walks over: about a millisecond.
constexpr unsigned kChunksPerCall = 16;

// What the kernel was asked for where it doesn't know the policy (weighted.h).
bool is_made_of_interleaving(const Binding& binding) {
    return binding.set && (has_own_weights(binding.policy) ||
                           kernel_mode_word(binding.policy) != binding.policy.mode_word());
}

// The policy that governs address, and where the range ends that it governs.
Binding policy_at(const Region& region, uintptr_t address, uintptr_t& ret_end) {
    const uintptr_t start = region.start.load(std::memory_order_acquire);
    ret_end = start + region.size;
    Binding binding = read_binding(region.scope);
    if (!is_made_of_interleaving(binding)) return binding;
    const NodeWeights weights = weights_in_force(binding.policy, binding.effective);
    for_each_stretch(weights, layout_in_force(region.layout), start, region.size,
                     [&](const Stretch& stretch) {
                         if (address - stretch.start >= stretch.size) return;
                         ret_end = stretch.start + stretch.size;
                         binding.effective = stretch.nodes;
                     });
    binding.policy.mode = Mode::kInterleave;
    return binding;
}

// nullptr: in none.
const Region* region_of(uintptr_t address) {
    for (unsigned row = 0; row < region_count(); ++row) {
        const Region& region = region_at(row);
        const uintptr_t start = region.start.load(std::memory_order_acquire);
        if (start != 0 && address - start < region.size) return &region;
    }
    return nullptr;
}

uint8_t kernel_weight(unsigned node) {
    char path[64];
    char text[8]{};
    std::snprintf(path, sizeof(path), "/sys/kernel/mm/mempolicy/weighted_interleave/node%u", node);
    if (sys::read_file(path, text, sizeof(text) - 1) <= 0) return 1;
    return static_cast<uint8_t>(std::clamp(std::atoi(text), 1, 255));
}

// Linux before 6.7 takes an interleaved page's number as 32 bits. Faults a page in, near the heap,
// and looks which way of counting has placed it. False where both agree, as they do for two nodes.
bool counts_in_32_bits(const NodeMask& of) {
    NodeMask nodes;
    for (unsigned i = 0, node = of.first(); i < 3 && node < kMaxNodes; ++i) {
        nodes.set(node);
        node = of.next(node + 1);
    }
    int err = 0;
    void* page = sys::reserve(nullptr, kPageBytes, PROT_READ | PROT_WRITE, err);
    if (page == MAP_FAILED) return false;
    const uint64_t number = reinterpret_cast<uint64_t>(page) >> kPageShift;
    const unsigned in_64 = nth_node(nodes, number);
    const unsigned in_32 = nth_node(nodes, static_cast<uint32_t>(number));
    int node = -1;
    if (in_64 != in_32 &&
        sys::mbind(page, kPageBytes, static_cast<int>(Mode::kInterleave), nodes, 0) == 0) {
        *static_cast<volatile char*>(page) = 0;
        if (sys::move_pages(1, &page, nullptr, &node) != 0) node = -1;
    }
    sys::unmap(page, kPageBytes);
    return in_64 != in_32 && node == static_cast<int>(in_32);
}

}  // namespace

uint64_t Walk::policies() const {
    uint64_t sum = 0;
    for (unsigned id = 0; id < scope_count(); ++id) {
        if (concerns(static_cast<ScopeId>(id)))
            sum += 1 + binding_generation(static_cast<ScopeId>(id));
    }
    return sum;
}

void Walk::learn_placement() {
    bool in_32_bits = false;
    for (unsigned id = 0; id < scope_count(); ++id) {
        if (!concerns(static_cast<ScopeId>(id)) || !is_bound(static_cast<ScopeId>(id))) continue;
        const Binding binding = read_binding(static_cast<ScopeId>(id));
        const NodeMask& nodes = binding.effective;
        if (!names_nodes(binding)) continue;
        if (binding.policy.mode == Mode::kInterleave || is_made_of_interleaving(binding)) {
            in_32_bits |= counts_in_32_bits(nodes);
            continue;
        }
        if (binding.policy.mode != Mode::kWeightedInterleave) continue;
        for (unsigned node = nodes.first(); node < kMaxNodes; node = nodes.next(node + 1)) {
            weights_.of[node] = kernel_weight(node);
        }
    }
    mover_.set_short_index(in_32_bits);
}

void Walk::begin(bool everything, ScopeId scope, ScopeId large, Tally& tally) {
    everything_ = everything;
    scope_ = scope;
    large_ = large;
    policies_ = policies();
    row_ = 0;
    at_ = 0;
    seen_bytes_ = 0;
    busy_count_ = busy_done_ = 0;
    tally.placed = 0;
    std::fill_n(tally.failed, MPOL_CTL_MIGRATION_FAILURES, uint64_t{0});
    mover_.drop();
    look_for_huge_pages();
    learn_placement();
}

void Walk::measure(uint64_t& ret_bound, uint64_t& ret_unbound) const {
    uint64_t sums[2]{};
    for (unsigned row = 0; row < region_count(); ++row) {
        const Region& region = region_at(row);
        if (region.start.load(std::memory_order_acquire) == 0 || !concerns(region.scope)) continue;
        const bool bound = is_bound(region.scope) && names_nodes(read_binding(region.scope));
        sums[bound ? 1 : 0] += region.carved.load(std::memory_order_acquire);
    }
    ret_unbound = sums[0];
    ret_bound = sums[1];
}

bool Walk::next_chunk(Chunk& ret_chunk) {
    for (; row_ < region_count(); ++row_, at_ = 0) {
        const Region& region = region_at(row_);
        const uintptr_t start = region.start.load(std::memory_order_acquire);
        if (start == 0 || !concerns(region.scope)) continue;
        // To the end of the last huge page: it may reach beyond what was carved.
        const size_t carved = region.carved.load(std::memory_order_acquire);
        const uintptr_t end =
            start + std::min(region.size, (carved + kHugeBytes - 1) & ~(kHugeBytes - 1));
        if (at_ == 0) at_ = start;
        if (at_ >= end) continue;
        const uintptr_t chunk_end = std::min<uintptr_t>(end, (at_ | (kHugeBytes - 1)) + 1);
        ret_chunk = {at_, chunk_end, row_};
        at_ = chunk_end;
        return true;
    }
    return false;
}

int Walk::take_up(const Chunk& chunk, Tally& tally) {
    const Region& region = region_at(chunk.row);
    uintptr_t end = 0;
    const Binding binding = policy_at(region, chunk.start, end);
    if (!names_nodes(binding)) {
        at_ = end;
        return 0;
    }
    at_ = std::min(chunk.end, end);
    const uintptr_t carved = region.start.load(std::memory_order_relaxed) +
                             region.carved.load(std::memory_order_acquire);
    if (chunk.start < carved) seen_bytes_ += std::min(at_, carved) - chunk.start;
    return mover_.load(chunk.start, at_, binding, weights_, tally);
}

void Walk::keep_busy(Tally& tally) {
    for (unsigned i = 0; i < mover_.busy_count(); ++i) {
        const uintptr_t page = mover_.busy()[i];
        if (busy_count_ < kBusyMax) {
            busy_[busy_count_++] = page;
        } else {
            tally.fail((page & 1) != 0 ? kHugeBytes : kPageBytes, -EBUSY);
        }
    }
    mover_.drop();
}

int Walk::take_up_busy(Tally& tally, bool& ret_over) {
    for (unsigned tried = 0; tried < kPagesPerHuge; ++tried) {
        ret_over = busy_done_ == busy_count_;
        if (ret_over) return 0;
        const uintptr_t page = busy_[busy_done_++];
        const Region* const region = region_of(page);
        uintptr_t end = 0;
        if (region == nullptr) continue;
        const int err = mover_.load_again(page, policy_at(*region, page, end), weights_, tally);
        if (err != 0 || !mover_.settled()) return err;
    }
    return 0;
}

int Walk::advance(Tally& tally, bool& ret_over) {
    ret_over = false;
    keep_busy(tally);
    Chunk chunk;
    for (unsigned tried = 0; tried < kChunksPerCall; ++tried) {
        if (!next_chunk(chunk)) return take_up_busy(tally, ret_over);
        const int err = take_up(chunk, tally);
        if (err != 0 || !mover_.settled()) return err;
    }
    return 0;
}

}  // namespace mpol::heap

// SPDX-License-Identifier: Apache-2.0
// Target: reading. Every field of the segment is loaded once, bounded, and only the copy is used.
#include <fmt/format.h>

#include <algorithm>
#include <climits>

#include "control/attach.h"
#include "control/proc.h"

namespace mpol::control {
namespace {

Published read_published(const SharedLatch& latch) {
    Published out;
    PolicyWords words;
    uint64_t word = 0;
    if (!latch_read(latch, words.words, word)) {
        out.readable = false;
        return out;
    }
    out.generation = generation(word);
    if ((word & kHasPolicy) != 0) {
        out.set = out.readable = decode(words, out.policy, out.origin);
    }
    return out;
}

KindState read_kind(const mpol_ctl_kind& row, const SharedLatch& latch) {
    KindState state;
    state.asked = read_published(latch);
    state.threshold = load(row.threshold[state.asked.generation % 2]);
    state.applied = load(row.applied);
    state.applied_errno = static_cast<int>(load(row.applied_errno) & INT_MAX);
    state.scope = load(row.scope);
    return state;
}

std::optional<KindState> read_own_kind(mpol_ctl& segment, unsigned kind, unsigned slot) {
    if (!has_own_row(segment, kind, slot)) return std::nullopt;
    const mpol_ctl_kind& row = segment.own_kinds[kind][slot];
    KindState state = read_kind(row, own_kind_latch(segment, kind, slot));
    state.kind = static_cast<mpol_ctl_kind_id>(kind);
    if (kind == MPOL_CTL_KIND_LARGE || load(row.placed) != 0) return state;
    if (state.applied < state.asked.generation) state.applied_errno = 0;  // Not used yet.
    state.applied = state.asked.generation;
    return state;
}

std::optional<Bound> read_bound(const mpol_ctl_region& row,
                                const mpol_ctl_region_weights& weights) {
    Bound bound;
    for (unsigned attempt = 0; attempt < kLatchTries; ++attempt) {
        const uint64_t before = load(row.bound);
        BoundWords words{before, load(row.bound_nodes)};
        for (unsigned i = 0; (before & kBoundOwnWeights) != 0 && i < kBoundWeightWords; ++i) {
            words.weights[i] = load(weights.weights[i]);
        }
        if ((before & kBoundChanging) != 0 || load(row.bound) != before) continue;
        return decode_bound(words, bound) ? std::optional(bound) : std::nullopt;
    }
    return std::nullopt;
}

}  // namespace

ProcessState Target::process() const {
    ProcessState state;
    const mpol_ctl_header& header = segment_->header;
    state.asked = read_published(process_latch(*segment_));
    state.applied = load(header.process_applied);
    state.applied_errno = static_cast<int>(load(header.process_errno) & INT_MAX);
    state.status = load(header.status);
    uint64_t word = 0;
    NodeMask nodes;
    if (latch_read(effective_latch(*segment_), nodes.words, word) && (word & kHasPolicy) != 0) {
        state.effective = nodes;
    }
    if (latch_read(allowed_latch(*segment_), nodes.words, word)) state.allowed = nodes;
    PolicyWords words;
    for (unsigned i = 0; i < kPolicyWords; ++i) words.words[i] = load(header.inherited[i]);
    Policy policy;
    if ((state.status & MPOL_CTL_STATUS_INHERITED) != 0 &&
        decode(words, policy, state.inherited_origin)) {
        state.inherited = policy;
    }
    return state;
}

std::optional<ThreadState> Target::thread(unsigned slot) const {
    const mpol_ctl_slot& row = segment_->slots[slot];
    ThreadState state;
    state.slot = slot;
    for (unsigned attempt = 0; attempt < kLatchTries; ++attempt) {
        const uint64_t before = load(row.word);
        if ((before & kState) != kLive) return std::nullopt;
        state.tid = static_cast<pid_t>(load(row.tid));
        state.asked = read_published(slot_latch(*segment_, slot));
        state.applied = load(row.applied);
        state.task_applied = load(row.task_applied);
        state.process_seen = load(row.process_seen);
        state.applied_errno = static_cast<int>(load(row.applied_errno) & INT_MAX);
        state.scope = load(row.scope);
        for (unsigned kind = 0; kind < MPOL_CTL_KINDS; ++kind) {
            state.kinds[kind] = read_own_kind(*segment_, kind, slot);
        }
        // All of one thread, and of its life: the state changes when it leaves, and the generation
        // whenever the slot passes to another.
        const uint64_t after = load(row.word);
        if (generation(after) == generation(before) && (after & kState) == kLive) return state;
    }
    state.asked.readable = false;
    return state;
}

std::vector<ThreadState> Target::threads() const {
    std::vector<ThreadState> all;
    const unsigned used = std::min(load(segment_->header.slots_used), MPOL_CTL_SLOTS);
    for (unsigned slot = 0; slot < used; ++slot) {
        if (auto state = thread(slot)) all.push_back(*state);
    }
    return all;
}

std::vector<KindState> Target::kinds() const {
    std::vector<KindState> all;
    const uint32_t published = load(segment_->header.kinds);
    for (unsigned kind = 0; kind < MPOL_CTL_KINDS; ++kind) {
        if ((published >> kind & 1) == 0) continue;
        all.push_back(read_kind(segment_->kinds[kind], kind_latch(*segment_, kind)));
        all.back().kind = static_cast<mpol_ctl_kind_id>(kind);
    }
    return all;
}

std::vector<RegionState> Target::regions() const {
    std::vector<RegionState> all;
    const unsigned used = std::min(load(segment_->header.regions_used), MPOL_CTL_REGIONS);
    for (unsigned row = 0; row < used; ++row) {
        const mpol_ctl_region& region = segment_->regions[row];
        RegionState state;
        state.start = load(region.start);
        state.size = load(region.size);
        state.committed = std::min(load(region.committed), state.size);
        state.carved = std::min(load(region.carved), state.size);
        state.bound = read_bound(region, segment_->weights[row]);
        state.scope = load(region.scope);
        state.stretches = load(region.stretches);
        state.applied_errno = static_cast<int>(load(region.applied_errno) & INT_MAX);
        if (state.start != 0) all.push_back(state);
    }
    return all;
}

std::vector<ErrorState> Target::errors() const {
    std::vector<ErrorState> all;
    for (const mpol_ctl_error& row : segment_->errors) {
        if (const auto state = read_error(row)) all.push_back(*state);
    }
    return all;
}

std::optional<ErrorState> read_error(const mpol_ctl_error& row) {
    ErrorState state;
    const uint32_t code = load(row.code);
    if (code == MPOL_CTL_ERROR_NONE || code > MPOL_CTL_ERROR_LAST) return std::nullopt;
    state.code = static_cast<mpol_ctl_error_code>(code);
    state.err = static_cast<int>(load(row.err) & INT_MAX);
    state.count = load(row.count);
    state.first_ns = load(row.first_ns);
    state.last_ns = load(row.last_ns);
    for (unsigned i = 0; i < 4; ++i) state.detail[i] = load(row.detail[i]);
    return state;
}

uint64_t Target::counter(mpol_ctl_counter which) const {
    return load(segment_->header.counters[which]);
}

Result<ThreadSlot> Target::slot_of(pid_t tid) const {
    const std::optional<pid_t> inner = inner_tid(proc_fd_, tid);
    if (!inner) {
        return tl::unexpected(fail(ESRCH, fmt::format("process {} has no thread {}", pid_, tid),
                                   fmt::format("mpol get {} lists its threads", pid_)));
    }
    for (const ThreadState& state : threads()) {
        if (state.tid == *inner) return ThreadSlot(state.slot, state.tid);
    }
    return tl::unexpected(
        fail(ENODEV, fmt::format("thread {} of process {} has no slot in the segment", tid, pid_),
             "it has not allocated yet, or all slots are taken; it follows the process's policy"));
}

pid_t Target::outer_tid(pid_t target_tid) const {
    return mpol::control::outer_tid(proc_fd_, target_tid).value_or(target_tid);
}

}  // namespace mpol::control

// SPDX-License-Identifier: Apache-2.0
#include "heap/kinds.h"

#include <algorithm>
#include <cerrno>

#include "control/segment.h"
#include "heap/apply.h"
#include "heap/kind_ranges.h"
#include "heap/kind_rows.h"
#include "heap/locks.h"
#include "heap/notify.h"
#include "heap/own_kinds.h"
#include "heap/purge.h"
#include "heap/task.h"
#include "policy/weights.h"
#include "sys/sys.h"

namespace mpol::heap {

using control::generation;
using control::kHasPolicy;
using control::load;
using control::local;
using control::SharedMemory;
using control::store;

constinit std::atomic<uint32_t> kinds_set{0};
constinit std::atomic<uint32_t> kinds_ever{0};

namespace {

constexpr uintptr_t kPage = 4096;

// Under apply_mutex, but for scope, which is written once and before its kind's bits.
struct State {
    std::atomic<ScopeId> scope{kProcessScope};
    uint64_t bound = 0;  // generation of the kind's word in force
    int err = 0;
    bool keeps_cached = false;
};
constinit State states[MPOL_CTL_KINDS];
// jemalloc's own value, which no allocation reaches. 0: not looked at yet.
constinit size_t threshold_off = 0;

State& state_of(Kind kind) {
    return states[static_cast<unsigned>(kind)];
}

bool read_row(unsigned kind, control::PolicyWords& words, KindAsked& ret_asked) {
    return read_kind_row(local.kinds[kind], control::kind_latch(local, kind), words, ret_asked);
}

bool rows_usable() {
    return load(local.header.kinds) != 0 && control::back_rows(local.kinds, sizeof(local.kinds));
}

// jemalloc's thread caches serve what they can before anybody asks for the threshold.
size_t cached_bytes_max() {
    size_t bytes = 0;
    size_t size = sizeof(bytes);
    je_mallctl("arenas.tcache_max", &bytes, &size, nullptr, 0);
    return bytes;
}

int bind_large(const KindAsked& asked, const Binding& binding) {
    const ScopeId id = state_of(Kind::kLarge).scope.load(std::memory_order_relaxed);
    if (threshold_off == 0) threshold_off = je_oversize_threshold;
    scope_at(id).follows_process = !asked.set;
    if (!asked.set) {
        // Its memory is the process's again; what is allocated from now on is anyway.
        __atomic_store_n(&je_oversize_threshold, threshold_off, __ATOMIC_RELEASE);
        return bind_scope(id, read_binding(kProcessScope));
    }
    const int err = bind_scope(id, binding);
    je_huge_arena_ind = scope_at(id).arena;
    // jemalloc reads this one first, and only on its path for large allocations.
    __atomic_store_n(&je_oversize_threshold, asked.threshold, __ATOMIC_RELEASE);
    return err;
}

// The scope that holds the kind's binding; kProcessScope when there is none to be had.
ScopeId scope_for(Kind kind, const Binding& first) {
    State& state = state_of(kind);
    ScopeId id = state.scope.load(std::memory_order_relaxed);
    if (id != kProcessScope) return id;
    id = make_kind_scope(kind == Kind::kLarge, first);
    state.scope.store(id, std::memory_order_release);
    return id;
}

int bind_kind(Kind kind, const KindAsked& asked, const Binding& binding) {
    const ScopeId id = scope_for(kind, binding);
    if (id == kProcessScope) return -EAGAIN;
    const uint32_t bit = bit_of(kind);
    kinds_ever.fetch_or(bit, std::memory_order_release);
    if (kind == Kind::kLarge) {
        const int err = bind_large(asked, binding);
        if (asked.set) {
            kinds_set.fetch_or(bit, std::memory_order_release);
        } else {
            kinds_set.fetch_and(~bit, std::memory_order_release);
        }
        return err;
    }
    // New memory first, then what is there: whoever maps in between looks at the binding again.
    const Binding before = read_binding(id);
    (void)bind_scope(id, binding);
    if (asked.set) {
        kinds_set.fetch_or(bit, std::memory_order_seq_cst);
    } else {
        kinds_set.fetch_and(~bit, std::memory_order_seq_cst);
    }
    return bind_existing(kind, before, binding);
}

int bind_as_asked(Kind kind, const KindAsked& asked, SyncAllowed* sync_allowed, void* pass) {
    Binding binding;
    if (asked.set) {
        if (kind == Kind::kLarge &&
            (asked.threshold < MPOL_CTL_THRESHOLD_MIN || asked.threshold <= cached_bytes_max())) {
            return -ERANGE;
        }
        // Weights of one's own are made of stretches of a region, and these two have no regions.
        if (kind != Kind::kLarge && has_own_weights(asked.policy)) return -EOPNOTSUPP;
        const int err = resolve(asked.policy, sync_allowed(pass), binding);
        if (err != 0) return err;
    } else if ((kinds_ever.load(std::memory_order_relaxed) & bit_of(kind)) == 0) {
        return 0;  // An unset of what was never set.
    }
    return bind_kind(kind, asked, binding);
}

void tell_applied(unsigned kind) {
    mpol_ctl_kind& row = local.kinds[kind];
    const ScopeId large = state_of(Kind::kLarge).scope.load(std::memory_order_relaxed);
    store(row.scope, uint32_t{kind == MPOL_CTL_KIND_LARGE ? large : kProcessScope});
    store(row.applied_errno, static_cast<uint32_t>(-states[kind].err));
    store(row.applied, states[kind].bound);
}

}  // namespace

uint32_t bind_kinds(SyncAllowed* sync_allowed, void* pass) {
    uint32_t bound = 0;
    if (load(local.header.kinds) == 0) return bound;
    const bool usable = rows_usable();
    for (unsigned kind = 0; usable && kind < MPOL_CTL_KINDS; ++kind) {
        KindAsked asked;
        if (generation(SharedMemory::load(local.kinds[kind].word)) == states[kind].bound ||
            !read_kind_asked(local.kinds[kind], control::kind_latch(local, kind), asked)) {
            continue;
        }
        states[kind].err = bind_as_asked(static_cast<Kind>(kind), asked, sync_allowed, pass);
        states[kind].keeps_cached = asked.keeps_cached;
        states[kind].bound = generation(asked.word);
        bound |= 1U << kind;
    }
    return bound;
}

void report_kinds(uint32_t bound) {
    for (unsigned kind = 0; kind < MPOL_CTL_KINDS; ++kind) {
        if ((bound >> kind & 1) == 0) continue;
        tell_applied(kind);
    }
}

void purge_kinds(uint32_t bound) {
    const State& state = state_of(Kind::kLarge);
    const ScopeId large = state.scope.load(std::memory_order_acquire);
    if ((bound & bit_of(Kind::kLarge)) != 0 && large != kProcessScope && !state.keeps_cached) {
        purge_arena(scope_at(large).arena);
    }
}

bool stacks_concerned() {
    return (kinds_ever.load(std::memory_order_relaxed) &
            (bit_of(Kind::kStack) | bit_of(Kind::kMmap))) != 0 ||
           own_stacks_ever.load(std::memory_order_relaxed);
}

void bind_stack(void* start, size_t size, const OwnStack& own) {
    // A stack that the C library has kept may be bound to what another policy said; and a policy on
    // mappings that exist takes such a stack for one.
    const InsideMappings inside;
    const Notice notice(MPOL_EVENT_POLICY, start, size);
    const Placing placing = place_stack(start, size, own);
    if (placing == Placing::kDone) return;
    if (placing == Placing::kTakenBack) mark_thread(this_task.slot, this_task.descriptor, 0);
    const ScopeId id = state_of(Kind::kStack).scope.load(std::memory_order_acquire);
    if (id == kProcessScope) {
        (void)bind_range(start, size, {});
    } else {
        bind_new_range(id, start, size, true);
    }
}

bool mappings_concerned() {
    return (kinds_set.load(std::memory_order_acquire) & bit_of(Kind::kMmap)) != 0 ||
           has_own_kind(Kind::kMmap);
}

void bind_mapping(void* start, size_t size) {
    // In a copy that no fork handler saw, nothing of the original's segment is written.
    if (control::copied()) return;
    const InsideMappings inside;
    const Notice notice(MPOL_EVENT_POLICY, start, size);
    const Placing placing = place_mapping(start, size);
    if (placing == Placing::kDone) return;
    const bool bound = placing == Placing::kTakenBack;
    if ((kinds_set.load(std::memory_order_acquire) & bit_of(Kind::kMmap)) != 0) {
        const ScopeId id = state_of(Kind::kMmap).scope.load(std::memory_order_acquire);
        bind_new_range(id, start, size, bound);
    } else if (bound) {
        (void)bind_range(start, size, {});
    }
}

Lifted::Lifted(const void* start, size_t size)
    : start_(reinterpret_cast<uintptr_t>(start)), size_(size) {
    if (start_ % kPage != 0) return;  // Such calls fail.
    const uintptr_t end = start_ + size;
    bool any = false;
    for (Placed placed = next_placed(start_, end); placed.start < end;
         placed = next_placed(placed.end, end)) {
        any = true;
        if (count_ < kPiecesMax) pieces_[count_++] = placed;
    }
    if (any) forget_placed(start_, end);
}

void Lifted::move_to(uintptr_t start, size_t size) const {
    if (control::copied()) return;
    for (unsigned i = 0; i < count_; ++i) {
        const Placed& piece = pieces_[i];
        const uintptr_t from = piece.start - start_;
        const bool last = piece.end == start_ + size_;  // what is grown is of its policy
        const uintptr_t to = last ? size : std::min(piece.end - start_, size);
        if (from >= to) continue;
        void* const at = reinterpret_cast<void*>(start + from);
        const InsideMappings inside;
        const Notice notice(MPOL_EVENT_POLICY, at, to - from);
        (void)place_mapping_of(piece.placer, at, to - from);
    }
}

Binding kind_binding(Kind kind) {
    if ((kinds_set.load(std::memory_order_acquire) & bit_of(kind)) == 0) return {};
    return read_binding(state_of(kind).scope.load(std::memory_order_acquire));
}

bool ceases_to_be_large(const void* pointer, size_t size) {
    if ((kinds_set.load(std::memory_order_acquire) & bit_of(Kind::kLarge)) == 0) return false;
    return size < je_oversize_threshold &&
           owner_of(pointer) == state_of(Kind::kLarge).scope.load(std::memory_order_relaxed);
}

KindLegacy read_kinds() {
    KindLegacy legacy{};
    if (!rows_usable()) return legacy;
    for (unsigned kind = 0; kind < MPOL_CTL_KINDS; ++kind) {
        KindAsked asked;
        if (!read_row(kind, legacy.policy[kind], asked) || !asked.set) continue;
        legacy.threshold[kind] = asked.threshold;
        legacy.set |= 1U << kind;
        if (generation(asked.word) == states[kind].bound) legacy.bound |= 1U << kind;
    }
    return legacy;
}

void inherit_kinds(const KindLegacy& legacy) {
    for (unsigned kind = 0; kind < MPOL_CTL_KINDS; ++kind) {
        // Word 0 is of a row that nobody ever wrote: an unset not yet acted on is acted on.
        states[kind].bound = 0;
        const bool in_force = (kinds_set.load(std::memory_order_relaxed) >> kind & 1) != 0;
        const bool set = (legacy.set >> kind & 1) != 0;
        if (!set && !in_force) continue;
        mpol_ctl_kind& row = local.kinds[kind];
        const uint64_t word = control::next_generation(set ? kHasPolicy : 0);
        store(row.threshold[generation(word) % 2], legacy.threshold[kind]);
        for (unsigned i = 0; i < control::kPolicyWords; ++i) {
            store(row.policy[i], legacy.policy[kind].words[i]);
        }
        SharedMemory::store(row.word, word);
        if ((legacy.bound >> kind & 1) != 0) {
            states[kind].bound = generation(word);
            tell_applied(kind);
        }
        store(local.header.kinds, load(local.header.kinds) | 1U << kind);
    }
}

}  // namespace mpol::heap

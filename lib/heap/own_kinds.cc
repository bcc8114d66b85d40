// SPDX-License-Identifier: Apache-2.0
#include "heap/own_kinds.h"

#include <linux/mempolicy.h>

#include <algorithm>
#include <cerrno>

#include "control/segment.h"
#include "heap/apply.h"
#include "heap/kind_ranges.h"
#include "heap/kind_rows.h"
#include "heap/weighted.h"
#include "policy/weights.h"
#include "sys/sys.h"

namespace mpol::heap {

using control::generation;
using control::load;
using control::local;
using control::SharedMemory;
using control::store;

constinit std::atomic<bool> own_stacks_ever{false};

namespace {

// Whoever rewrites without end is not followed any longer than this in one call.
constexpr unsigned kRewritesMax = 16;
// Nor where memory changes hands without end.
constexpr unsigned kHandsMax = 1'024;
// Something was placed, and rewritten before it was bound.
constexpr uint64_t kNeverBound = ~uint64_t{0};

// By slot. bound: generation of the row's word that what was placed is bound to; 0: nothing was.
// By the thread, then whoever applies; kept here because the segment can be written by others.
struct PlacerRow {
    std::atomic<Placer> placer;
    std::atomic<uint64_t> bound[MPOL_CTL_KINDS];
};
constinit PlacerRow placers[MPOL_CTL_SLOTS];
constinit std::atomic<Placer> last_placer{0};

// What a row asks for, in the terms of this machine.
struct Own {
    bool set = false;
    int err = 0;
    uint64_t generation = 0;
    Binding binding;
    [[nodiscard]] bool usable() const { return set && err == 0; }
};

// nullptr: nothing was ever published there.
mpol_ctl_kind* own_row(Kind kind, int slot) {
    const auto at = static_cast<unsigned>(kind);
    if (slot < 0 || !control::has_own_row(local, at, static_cast<unsigned>(slot))) return nullptr;
    mpol_ctl_kind& row = local.own_kinds[at][slot];
    return control::back_rows(&row, sizeof(row)) ? &row : nullptr;
}

control::SharedLatch own_latch(Kind kind, int slot) {
    return control::own_kind_latch(local, static_cast<unsigned>(kind), static_cast<unsigned>(slot));
}

// False: nothing was ever published, or it can't be read.
bool read_own(Kind kind, int slot, Own& ret_own) {
    const mpol_ctl_kind* const row = own_row(kind, slot);
    KindAsked asked;
    if (row == nullptr || !read_kind_asked(*row, own_latch(kind, slot), asked)) return false;
    ret_own = {.set = asked.set, .generation = generation(asked.word), .binding = {}};
    if (!asked.set) return true;
    // Weights of one's own are made of stretches of a region, and this memory has none.
    ret_own.err = has_own_weights(asked.policy)
                      ? -EOPNOTSUPP
                      : resolve(asked.policy, allowed_now(), ret_own.binding);
    ret_own.binding.set = ret_own.err == 0;
    return true;
}

std::atomic<uint64_t>& bound_of(Kind kind, int slot) {
    return placers[slot].bound[static_cast<unsigned>(kind)];
}

void tell_applied(mpol_ctl_kind& row, const Own& own) {
    store(row.applied_errno, static_cast<uint32_t>(-own.err));
    store(row.applied, own.generation);
}

// The calling thread's, for the kind; what it is told says what comes, until something is there.
bool use_own(Kind kind, Own& ret_own) {
    const int slot = this_task.slot;
    if (!read_own(kind, slot, ret_own) || !ret_own.set) return false;
    if (bound_of(kind, slot).load(std::memory_order_relaxed) == 0) {
        tell_applied(*own_row(kind, slot), ret_own);
    }
    return ret_own.usable();
}

// The calling thread is about to place something. A signal handler may do the same in the middle.
Placer become_placer(Kind kind, uint64_t used) {
    Placer placer = 0;
    const Placer next = last_placer.fetch_add(1, std::memory_order_relaxed) + 1;
    if (__atomic_compare_exchange_n(&this_task.placer, &placer, next, false, __ATOMIC_RELAXED,
                                    __ATOMIC_RELAXED)) {
        placer = next;
    }
    const int slot = this_task.slot;
    uint64_t nothing = 0;
    if (bound_of(kind, slot).compare_exchange_strong(nothing, used)) {
        store(own_row(kind, slot)->placed, uint32_t{1});
    }
    placers[slot].placer.store(placer);
    return placer;
}

// -1: it is gone.
int slot_of(Placer placer) {
    const unsigned used = std::min(load(local.header.slots_used), MPOL_CTL_SLOTS);
    for (unsigned slot = 0; placer != 0 && slot < used; ++slot) {
        if (placers[slot].placer.load() == placer) return static_cast<int>(slot);
    }
    return -1;
}

bool is_current(Kind kind, int slot, uint64_t seen) {
    return generation(
               SharedMemory::load(local.own_kinds[static_cast<unsigned>(kind)][slot].word)) == seen;
}

bool bind_as_own(void* start, size_t size, const Binding& binding) {
    const int err = bind_range(start, size, binding);
    if (err == 0) return true;
    control::record_error(MPOL_CTL_ERROR_MBIND, -err, reinterpret_cast<uintptr_t>(start), size,
                          static_cast<uint64_t>(binding.policy.mode_word()),
                          binding.effective.words[0]);
    return false;
}

// Bound, and settled as the kernel then calls it. Once more where that is another mode: it may have
// been bound over, by one who looks who has the range after that (bind_as_placed). False: not
// bound.
bool bind_and_settle(Placer placer, const Own& own, void* start, size_t size) {
    const auto from = reinterpret_cast<uintptr_t>(start);
    const int expected = own.binding.set ? kernel_mode_word(own.binding.policy) : 0;
    int mode_word = -1;
    for (unsigned i = 0; i < 2 && mode_word != expected; ++i) {
        NodeMask nodes;
        if (!bind_as_own(start, size, own.binding) ||
            sys::get_mempolicy_at(start, MPOL_F_ADDR, mode_word, nodes) != 0) {
            return false;
        }
    }
    settle_placed(from, from + size, placer, mode_word, own.generation);
    return true;
}

// Entered, bound, and the policy looked at again: whoever rewrites it in between publishes first
// and looks for what is entered then, so one of the two sees the other.
Placing place(Placer placer, int slot, Own& own, void* start, size_t size) {
    const auto from = reinterpret_cast<uintptr_t>(start);
    for (unsigned i = 0; i < kRewritesMax && own.usable(); ++i) {
        forget_placed(from, from + size);
        const bool entered = enter_placed(from, from + size, placer);
        if (!entered) control::record_error(MPOL_CTL_ERROR_PLACED, ENOSPC, from, size);
        if (!bind_and_settle(placer, own, start, size) || !entered) {
            forget_placed(from, from + size);
            return Placing::kDone;
        }
        // What was settled while it was bound over may have been taken for somebody else's by now.
        const Placed now = next_placed(from, from + 1);
        const bool is_there = now.placer == placer && now.settled;
        if (is_there && is_current(Kind::kMmap, slot, own.generation)) return Placing::kDone;
        if (!read_own(Kind::kMmap, slot, own)) return Placing::kDone;
    }
    if (own.usable()) return Placing::kDone;
    forget_placed(from, from + size);
    return Placing::kTakenBack;
}

void bind_as_asked(Kind kind, Placer placer, Own& own) {
    if (!own.set) {
        own.err = bind_placed(kind, placer, kind_binding(kind), own.generation);
        disown_placed(kind, placer, own.generation);
    } else if (own.err == 0) {
        own.err = bind_placed(kind, placer, own.binding, own.generation);
    }
}

bool bind_own_kind(Kind kind, int slot) {
    const Placer placer = placers[slot].placer.load();
    const uint64_t bound = bound_of(kind, slot).load();
    Own own;
    if (placer == 0 || bound == 0 || is_current(kind, slot, bound) || !read_own(kind, slot, own)) {
        return false;
    }
    bind_as_asked(kind, placer, own);
    bound_of(kind, slot).store(own.generation);
    tell_applied(*own_row(kind, slot), own);
    return true;
}

}  // namespace

bool has_own_kind(Kind kind) {
    const int slot = this_task.slot;
    return slot >= 0 &&
           control::has_own_row(local, static_cast<unsigned>(kind), static_cast<unsigned>(slot));
}

Placing place_mapping(void* start, size_t size) {
    Own own;
    if (!has_own_kind(Kind::kMmap) || !use_own(Kind::kMmap, own)) return Placing::kNot;
    const Placer placer = become_placer(Kind::kMmap, own.generation);
    return place(placer, this_task.slot, own, start, size);
}

Placing place_mapping_of(Placer placer, void* start, size_t size) {
    const int slot = slot_of(placer);
    Own own;
    if (slot < 0 || !read_own(Kind::kMmap, slot, own) || !own.usable()) return Placing::kNot;
    return place(placer, slot, own, start, size);
}

void bind_as_placed(uintptr_t start, uintptr_t end) {
    uintptr_t at = start;
    for (unsigned i = 0; at < end && i < kHandsMax; ++i) {
        Placed placed = next_placed(at, end);
        // One row has one policy; and all that is bound here is looked at again.
        placed = placed.start != at ? Placed{at, placed.start} : whole_row(placed);
        end = std::max(end, placed.end);
        void* const from = reinterpret_cast<void*>(placed.start);
        const size_t size = placed.end - placed.start;
        Own own{.set = true, .binding = kind_binding(Kind::kMmap)};
        const int slot = slot_of(placed.placer);
        const bool has_own = slot >= 0 && read_own(Kind::kMmap, slot, own) && own.usable();
        if (has_own) {
            (void)bind_and_settle(placed.placer, own, from, size);
        } else {
            (void)bind_range(from, size, kind_binding(Kind::kMmap));
        }
        const bool rewritten = has_own && !is_current(Kind::kMmap, slot, own.generation);
        at = is_as_it_was(placed) && !rewritten ? placed.end : std::min(at, placed.start);
    }
}

OwnStack own_stack() {
    Own own;
    if (!has_own_kind(Kind::kStack) || !use_own(Kind::kStack, own)) return {};
    own_stacks_ever.store(true, std::memory_order_relaxed);
    return {own.binding, become_placer(Kind::kStack, own.generation), own.generation};
}

Placing place_stack(void* start, size_t size, const OwnStack& own) {
    if (!own.binding.set) return Placing::kNot;
    (void)bind_as_own(start, size, own.binding);
    Own now{.set = true, .generation = own.generation, .binding = {}};
    for (unsigned i = 0; i < kRewritesMax; ++i) {
        const int slot = slot_of(own.placer);
        if (slot < 0 || is_current(Kind::kStack, slot, now.generation)) break;
        if (!read_own(Kind::kStack, slot, now) || now.err != 0) break;
        if (!now.set) return Placing::kTakenBack;
        (void)bind_as_own(start, size, now.binding);
    }
    return Placing::kDone;
}

void inherit_own_kind(Kind kind, control::OwnKinds& kinds) {
    const auto at = static_cast<unsigned>(kind);
    const mpol_ctl_kind* const row = own_row(kind, this_task.slot);
    KindAsked asked;
    if (row == nullptr ||
        !read_kind_row(*row, own_latch(kind, this_task.slot), kinds.policy[at], asked)) {
        return;
    }
    if (!asked.set) return;
    kinds.threshold[at] = asked.threshold;
    kinds.set |= bit_of(kind);
}

bool is_kept(Placer placer, Kind kind) {
    const int slot = slot_of(placer);
    Own own;
    // What can't be read now keeps what it has.
    return slot >= 0 && own_row(kind, slot) != nullptr && (!read_own(kind, slot, own) || own.set);
}

bool bind_own_kinds() {
    if (last_placer.load(std::memory_order_relaxed) == 0) return false;
    bool any = false;
    const unsigned used = std::min(load(local.header.slots_used), MPOL_CTL_SLOTS);
    for (unsigned slot = 0; slot < used; ++slot) {
        for (const Kind kind : {Kind::kStack, Kind::kMmap}) {
            any |= bind_own_kind(kind, static_cast<int>(slot));
        }
    }
    return any;
}

uint32_t placed_kinds() {
    uint32_t placed = 0;
    const int slot = this_task.slot;
    if (this_task.placer == 0 || slot < 0) return placed;
    for (const Kind kind : {Kind::kStack, Kind::kMmap}) {
        if (bound_of(kind, slot).load() != 0) placed |= bit_of(kind);
    }
    return placed;
}

void adopt_placed(uint32_t placed) {
    const int slot = this_task.slot;
    if (this_task.placer == 0 || slot < 0) return;
    for (const Kind kind : {Kind::kStack, Kind::kMmap}) {
        if ((placed & bit_of(kind)) == 0) continue;
        mpol_ctl_kind* const row = own_row(kind, slot);
        if (row == nullptr) {
            const sys::Locked locked(apply_mutex);
            Own taken_back;
            bind_as_asked(kind, this_task.placer, taken_back);
            continue;
        }
        bound_of(kind, slot).store(kNeverBound);
        store(row->placed, uint32_t{1});
    }
    placers[slot].placer.store(this_task.placer);
}

void leave_placed() {
    if (this_task.placer == 0 || this_task.slot < 0) return;
    PlacerRow& row = placers[this_task.slot];
    row.placer.store(0);
    for (std::atomic<uint64_t>& bound : row.bound) bound.store(0);
    forget_placed_of(this_task.placer);
}

void forget_placers() {
    if (last_placer.load(std::memory_order_relaxed) == 0) return;
    for (PlacerRow& row : placers) {
        if (row.placer.load(std::memory_order_relaxed) == 0) continue;
        row.placer.store(0, std::memory_order_relaxed);
        for (std::atomic<uint64_t>& bound : row.bound) bound.store(0, std::memory_order_relaxed);
    }
    forget_placed_but_of(this_task.placer);
}

}  // namespace mpol::heap

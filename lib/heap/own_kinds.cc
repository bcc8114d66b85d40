// SPDX-License-Identifier: Apache-2.0
#include "heap/own_kinds.h"

#include "control/segment.h"
#include "heap/apply.h"
#include "heap/kind_rows.h"
#include "policy/weights.h"

namespace mpol::heap {

using control::local;

constinit std::atomic<bool> own_stacks_ever{false};

namespace {

// nullptr: nothing was ever published there.
mpol_ctl_kind* own_row(Kind kind) {
    if (!has_own_kind(kind)) return nullptr;
    mpol_ctl_kind& row = local.own_kinds[static_cast<unsigned>(kind)][this_task.slot];
    return control::back_rows(&row, sizeof(row)) ? &row : nullptr;
}

control::SharedLatch own_latch(Kind kind) {
    return control::own_kind_latch(local, static_cast<unsigned>(kind),
                                   static_cast<unsigned>(this_task.slot));
}

}  // namespace

bool has_own_kind(Kind kind) {
    const int slot = this_task.slot;
    return slot >= 0 &&
           control::has_own_row(local, static_cast<unsigned>(kind), static_cast<unsigned>(slot));
}

bool own_binding(Kind kind, Binding& ret_binding) {
    mpol_ctl_kind* const row = own_row(kind);
    KindAsked asked;
    if (row == nullptr || !read_kind_asked(*row, own_latch(kind), asked) || !asked.set)
        return false;
    // Weights of one's own are made of stretches of a region, and this memory has none.
    const int err = has_own_weights(asked.policy)
                        ? -EOPNOTSUPP
                        : resolve(asked.policy, allowed_now(), ret_binding);
    ret_binding.set = err == 0;
    control::store(row->applied_errno, static_cast<uint32_t>(-err));
    control::store(row->applied, control::generation(asked.word));
    if (err == 0 && kind == Kind::kStack) own_stacks_ever.store(true, std::memory_order_relaxed);
    return err == 0;
}

void bind_as_own(void* start, size_t size, const Binding& binding) {
    const int err = bind_range(start, size, binding);
    if (err == 0) return;
    control::record_error(MPOL_CTL_ERROR_MBIND, -err, reinterpret_cast<uintptr_t>(start), size,
                          static_cast<uint64_t>(binding.policy.mode_word()),
                          binding.effective.words[0]);
}

void inherit_own_kind(Kind kind, control::OwnKinds& kinds) {
    const auto at = static_cast<unsigned>(kind);
    const mpol_ctl_kind* const row = own_row(kind);
    KindAsked asked;
    if (row == nullptr || !read_kind_row(*row, own_latch(kind), kinds.policy[at], asked)) return;
    if (!asked.set) return;
    kinds.threshold[at] = asked.threshold;
    kinds.set |= bit_of(kind);
}

}  // namespace mpol::heap

// SPDX-License-Identifier: Apache-2.0
#include "heap/own_large.h"

#include <algorithm>
#include <cerrno>

#include "control/segment.h"
#include "heap/apply.h"
#include "heap/kind_rows.h"
#include "heap/purge.h"
#include "heap/task.h"
#include "sys/sys.h"

namespace mpol::heap {

using control::generation;
using control::load;
using control::local;
using control::store;

namespace {

// Under apply_mutex.
struct State {
    ScopeId scope;
    bool governs;  // a policy of its own is in force, not the thread's
    bool keeps_cached;
    int err;
    uint64_t threshold;  // in force; 0: allocations of all sizes come from the thread's scope
    uint64_t bound;      // generation of the row's word
};
constinit State states[MPOL_CTL_SLOTS]{};

mpol_ctl_kind& row_of(unsigned slot) {
    return local.own_kinds[MPOL_CTL_KIND_LARGE][slot];
}

bool read_asked(unsigned slot, KindAsked& ret_asked) {
    const mpol_ctl_kind& row = row_of(slot);
    return control::has_own_row(local, MPOL_CTL_KIND_LARGE, slot) &&
           control::back_rows(&row, sizeof(row)) &&
           read_kind_asked(row, control::own_kind_latch(local, MPOL_CTL_KIND_LARGE, slot),
                           ret_asked);
}

int bind_by_size(State& at, const KindAsked& asked) {
    Binding binding;
    if (asked.threshold < MPOL_CTL_THRESHOLD_MIN) return -ERANGE;
    const int err = resolve(asked.policy, sync_allowed_nodes(), binding);
    if (err != 0) return err;
    scope_at(at.scope).follows_process = false;
    at.threshold = asked.threshold;
    at.governs = true;
    return bind_scope(at.scope, binding);
}

int bind_like(State& at, ScopeId own) {
    scope_at(at.scope).follows_process = scope_at(own).follows_process;
    at.threshold = 0;
    at.governs = false;
    return bind_scope(at.scope, read_binding(own));
}

// What the calling thread's allocations go by from now on.
void choose(const State& at) {
    Task& task = this_task;
    task.large_scope = at.scope;
    task.large_above = task.large_wanted && at.threshold != 0 ? at.threshold - 1 : SIZE_MAX;
    task.large_arena = scope_at(at.scope).arena;
}

}  // namespace

ScopeId bind_own_large(unsigned slot, ScopeId own, bool own_rebound) {
    State& at = states[slot];
    KindAsked asked;
    if (at.scope == kProcessScope || !read_asked(slot, asked)) return kProcessScope;
    const bool governs = asked.set && own != kProcessScope && !scope_at(own).follows_process;
    const bool fresh = generation(asked.word) != at.bound;
    if (!fresh && (!own_rebound || (governs && at.governs))) return kProcessScope;
    at.err = governs ? bind_by_size(at, asked) : bind_like(at, own);
    at.keeps_cached = asked.keeps_cached;
    at.bound = generation(asked.word);
    return at.scope;
}

bool own_large_is_purged(unsigned slot) {
    return !states[slot].keeps_cached;
}

void report_own_large(unsigned slot) {
    const State& at = states[slot];
    if (at.scope == kProcessScope) return;
    mpol_ctl_kind& row = row_of(slot);
    store(row.scope, uint32_t{at.scope});
    store(row.applied_errno, static_cast<uint32_t>(-at.err));
    store(row.applied, at.bound);
}

ScopeId large_scope_of_slot(unsigned slot) {
    return states[slot].scope;
}

bool sync_own_large(bool has_own) {
    Task& task = this_task;
    KindAsked asked;
    if (task.slot < 0) return false;
    const auto slot = static_cast<unsigned>(task.slot);
    if (!read_asked(slot, asked)) return false;
    const bool wanted = has_own && asked.set && task.owned_scope != kProcessScope;
    if (generation(asked.word) == task.large_generation && wanted == task.large_wanted)
        return false;
    task.large_generation = generation(asked.word);
    task.large_wanted = wanted;
    const sys::Locked locked(apply_mutex);
    State& at = states[slot];
    if (wanted && at.scope == kProcessScope) {
        Binding first;
        (void)resolve(asked.policy, sync_allowed_nodes(), first);
        at.scope = take_scope(first);
    }
    if (at.scope == kProcessScope) {
        // Nothing to take back, or no arena to be had.
        store(row_of(slot).applied_errno, static_cast<uint32_t>(wanted ? EAGAIN : 0));
        store(row_of(slot).applied, task.large_generation);
        return true;
    }
    (void)bind_own_large(slot, task.owned_scope, true);
    choose(at);
    report_own_large(slot);
    return true;
}

void leave_own_large() {
    Task& task = this_task;
    task.large_above = SIZE_MAX;
    if (task.large_scope == kProcessScope) return;
    const sys::Locked locked(apply_mutex);
    give_scope(task.large_scope);
    states[task.slot] = {};
    task.large_scope = kProcessScope;
}

void adopt_own_large() {
    Task& task = this_task;
    if (task.large_scope == kProcessScope) return;
    const sys::Locked locked(apply_mutex);
    states[task.slot].scope = task.large_scope;
}

void forget_own_large() {
    std::fill(std::begin(states), std::end(states), State{});
}

}  // namespace mpol::heap

// SPDX-License-Identifier: Apache-2.0
#include "heap/task.h"

#include <cerrno>

#include "control/segment.h"
#include "heap/apply.h"
#include "heap/free_cache.h"
#include "heap/locks.h"
#include "heap/own_kinds.h"
#include "heap/own_large.h"
#include "heap/purge.h"
#include "heap/weighted.h"
#include "sys/sys.h"

namespace mpol::heap {

using control::generation;
using control::kHasPolicy;
using control::load;
using control::local;
using control::SharedMemory;
using control::store;

thread_local constinit Task this_task;

namespace {

void flush_cache() {
    je_mallctl("thread.tcache.flush", nullptr, nullptr, nullptr, 0);
}

void switch_arena(unsigned to, unsigned* ret_from) {
    unsigned from = 0;
    size_t size = sizeof(from);
    flush_cache();  // Before: thread.arena leaves the cache as it is.
    if (je_mallctl("thread.arena", &from, &size, &to, sizeof(to)) == 0 && ret_from != nullptr) {
        *ret_from = from;
    }
}

void enter_scope(ScopeId scope) {
    Task& task = this_task;
    switch_arena(scope_at(scope).arena, task.arena_switched ? nullptr : &task.automatic_arena);
    task.arena_switched = true;
    task.scope = scope;
    if (task.slot >= 0) store(local.slots[task.slot].scope, uint32_t{scope});
}

void leave_for_process() {
    Task& task = this_task;
    if (task.scope == kProcessScope) return;
    switch_arena(task.automatic_arena, nullptr);
    task.scope = kProcessScope;
    if (task.slot >= 0) store(local.slots[task.slot].scope, uint32_t{kProcessScope});
}

// --- Kernel task policy

void save_task_policy() {
    Task& task = this_task;
    SavedTaskPolicy& before = task.before_us;
    if (before.saved) return;
    before.saved = sys::get_mempolicy(before.mode_word, before.nodes) == 0;
}

// The saved policy is the program's; without a saved one nothing was ever changed.
void restore_task_policy() {
    const SavedTaskPolicy& before = this_task.before_us;
    if (before.saved) sys::set_mempolicy(before.mode_word, before.nodes);
}

// scope: whose memory follows the policy. What it is bound to has been rebound when the cpuset
// changed, as the kernel would have done with this thread's policy, had it been set at once.
void set_task_policy(const Policy& policy, ScopeId scope) {
    save_task_policy();
    // Weights of its own the kernel can't have: a task policy has those of the system.
    const int mode_word = kernel_mode_word(policy);
    Binding binding = read_binding(scope);
    int err = 0;
    if (!binding.set || binding.policy != policy) err = resolve(policy, allowed_now(), binding);
    if (err == 0) {
        err = sys::set_mempolicy(mode_word, policy.flags != 0 ? policy.nodes : binding.effective);
    }
    if (err == -EINVAL && policy.flags != 0) {
        err = sys::set_mempolicy(mode_word, binding.effective);
    }
    if (err != 0) {
        control::record_error(MPOL_CTL_ERROR_SET_MEMPOLICY, -err,
                              static_cast<uint64_t>(sys::thread_id()),
                              static_cast<uint64_t>(policy.mode_word()));
    }
}

struct Asked {
    uint64_t word = 0;
    bool has = false;
    bool keeps_cached = false;
    Policy policy;
};

bool read_asked(const control::SharedLatch& latch, Asked& ret_asked) {
    control::PolicyWords words;
    control::Origin origin;
    if (!control::latch_read(latch, words.words, ret_asked.word)) return false;
    ret_asked.has = (ret_asked.word & kHasPolicy) != 0;
    ret_asked.keeps_cached = control::keeps_cached(words);
    return !ret_asked.has || control::decode(words, ret_asked.policy, origin);
}

// The thread's own policy is new: from here on it allocates from its scope.
void follow_own(const Asked& own) {
    Task& task = this_task;
    const bool first = task.owned_scope == kProcessScope;
    if (first) task.owned_scope = apply_first(task.slot);
    const bool there = task.scope == task.owned_scope;
    if (!there) {
        enter_scope(task.owned_scope);  // Its cache goes to where it is from.
    } else if (!first && !own.keeps_cached) {
        task.cache_due = true;
    }
    if (first) store(local.slots[task.slot].applied, generation(own.word));
    set_task_policy(own.policy, task.owned_scope);
}

// Returns true when the thread has a policy of its own.
bool sync_own() {
    Task& task = this_task;
    if (task.slot < 0) return false;
    mpol_ctl_slot& row = local.slots[task.slot];
    const uint64_t word = SharedMemory::load(row.word);
    if (generation(word) == task.own_generation) return (word & kHasPolicy) != 0;
    Asked own;
    if (!read_asked(control::slot_latch(local, static_cast<unsigned>(task.slot)), own)) {
        return task.scope != kProcessScope;
    }
    task.own_generation = generation(own.word);
    if (own.has) {
        follow_own(own);
    } else {
        leave_for_process();
        task.process_generation = 0;  // Its kernel task policy is the process's again.
        // What it allocated as its own is bound, and acknowledged, by whoever applies.
        if (task.owned_scope == kProcessScope) store(row.applied, generation(own.word));
    }
    store(row.task_applied, generation(own.word));
    return own.has;
}

void sync_process() {
    Task& task = this_task;
    const uint64_t word = SharedMemory::load(local.header.process_word);
    if (generation(word) == task.process_generation) return;
    const bool first_sight = task.process_generation == 0;
    Asked process;
    if (!read_asked(control::process_latch(local), process)) return;
    task.process_generation = generation(process.word);
    if (process.has) {
        set_task_policy(process.policy, kProcessScope);
    } else {
        restore_task_policy();
    }
    if (!first_sight && !process.keeps_cached) task.cache_due = true;
    if (task.slot >= 0) store(local.slots[task.slot].process_seen, task.process_generation);
}

// What a thread has to know of its creator's row: nothing, unless the policy is the daemon's.
control::SavedRow saved_of(unsigned slot, uint64_t word, const control::PolicyWords& policy) {
    if (control::origin_kind(policy) != MPOL_CTL_ORIGIN_DAEMON ||
        !control::saved_rows_usable(1 + slot)) {
        return {};
    }
    const control::SavedRow saved = control::read_saved(local.saved[1 + slot]);
    return control::is_daemons(saved, word, policy) ? saved : control::SavedRow{};
}

}  // namespace

void Task::act_on(uint32_t seen) {
    const bool routed = large_above != SIZE_MAX;
    epoch = routed ? seen - 1 : seen;
    routed_epoch = routed ? seen : kNotRouted;
}

void Task::come_again(uint32_t seen) {
    due_epoch = seen;
    epoch = seen - 1;
    routed_epoch = kNotRouted;
}

Inheritance inheritance() {
    const Task& task = this_task;
    Inheritance from;
    if (task.before_us.saved) from.before_us = task.before_us;
    from.process_generation = task.process_generation;
    if (task.slot < 0) return from;
    const auto slot = static_cast<unsigned>(task.slot);
    const mpol_ctl_slot& row = local.slots[slot];
    if ((load(row.word) & kHasPolicy) == 0 && load(row.kinds) == 0 && placed_kinds() == 0) {
        return from;
    }
    Inherited& inherited = from.own.emplace();
    inherited.placed = placed_kinds();
    control::Heritage& own = inherited.own;
    own.cleared = __atomic_load_n(&local.header.cleared, __ATOMIC_SEQ_CST);
    uint64_t word = 0;
    own.has_policy =
        control::latch_read(control::slot_latch(local, slot), own.policy.words, word) &&
        (word & kHasPolicy) != 0;
    for (const Kind kind : {Kind::kLarge, Kind::kStack, Kind::kMmap}) {
        if (kind == Kind::kLarge && !(own.has_policy && task.large_wanted)) continue;
        inherit_own_kind(kind, own.kinds);
    }
    if (own.has_policy) own.saved = saved_of(slot, word, own.policy);
    return from;
}

void begin_task(const Inheritance& from) {
    Task& task = this_task;
    static constexpr control::Heritage kNothing{};
    const control::Heritage& own = from.own ? from.own->own : kNothing;
    if (from.before_us.saved) task.before_us = from.before_us;
    // The kernel has copied the creator's task policy; there is nothing to do again.
    if (!own.has_policy) task.process_generation = from.process_generation;
    uint64_t opened = 0;
    {
        const Inside inside(slot_gate);
        task.slot = control::claim_slot(own, &opened);
    }
    task.slotless = task.slot < 0;
    if (task.slotless) {
        control::count(MPOL_CTL_SLOTLESS_THREADS);
    } else if (!own.has_policy) {
        task.own_generation = opened;
    }
    if (task.slot >= 0) store(local.slots[task.slot].process_seen, task.process_generation);
    adopt_placed(from.own ? from.own->placed : 0);
    if (task.owned_scope != kProcessScope && task.slot >= 0) {
        adopt_scope(task.slot, task.owned_scope);
        adopt_own_large();
        store(local.slots[task.slot].scope, uint32_t{task.scope});
    }
}

void sync_task(bool pending) {
    if (pending) apply_pending();
    if (this_task.exited) return;
    const uint64_t own = this_task.own_generation;
    const uint64_t process = this_task.process_generation;
    const bool has_own = sync_own();
    if (!has_own) sync_process();
    const bool large = sync_own_large(has_own);
    if (large || this_task.own_generation != own ||
        (process != 0 && this_task.process_generation != process)) {
        acknowledge();
    }
}

bool settle_cache() {
    Task& task = this_task;
    if (!task.cache_due) return true;
    if (is_purging()) return false;
    task.cache_due = false;
    give_cache_back();
    return true;
}

void sync_task_policy() {
    Task& task = this_task;
    if (task.in_slow_path || task.exited || task.slot < 0) return;
    mpol_ctl_slot& row = local.slots[task.slot];
    Asked asked;
    if (!read_asked(control::slot_latch(local, static_cast<unsigned>(task.slot)), asked)) return;
    if (asked.has) {
        if (load(row.task_applied) == generation(asked.word)) return;
        set_task_policy(asked.policy, task.owned_scope);
        store(row.task_applied, generation(asked.word));
        return;
    }
    if (!read_asked(control::process_latch(local), asked)) return;
    if (load(row.process_seen) == generation(asked.word)) return;
    if (asked.has) {
        set_task_policy(asked.policy, kProcessScope);
    } else {
        restore_task_policy();
    }
    // process_generation stays: the thread's next allocator call still gives its cache back.
    store(row.process_seen, generation(asked.word));
}

void end_task() {
    Task& task = this_task;
    if (task.exited) return;
    leave_for_process();
    leave_own_large();
    leave_placed();
    leave_free_cache();
    if (task.owned_scope != kProcessScope) leave_scope(task.slot);
    task.owned_scope = kProcessScope;
    if (task.slot >= 0) {
        const Inside inside(slot_gate);
        control::release_slot(task.slot);
    }
    if (task.slotless) control::count(MPOL_CTL_SLOTLESS_THREADS, ~uint64_t{0});
    task.slot = control::kNoSlot;
    task.exited = true;
}

void rebirth_task() {
    Task& task = this_task;
    task.epoch = Task::kNoEpoch;
    task.due_epoch = Task::kNoEpoch;
    task.slot = control::kNoSlot;
    task.slotless = false;
    task.in_slow_path = false;
    forget_purges();
    count_free_caches_anew();
    task.own_generation = 0;
    task.process_generation = 0;
    task.large_generation = 0;
    task.large_wanted = false;
    task.large_above = SIZE_MAX;
    task.routed_epoch = Task::kNotRouted;
}

}  // namespace mpol::heap

// SPDX-License-Identifier: Apache-2.0
#include "heap/apply.h"

#include <algorithm>
#include <bit>
#include <cerrno>

#include "control/segment.h"
#include "heap/kinds.h"
#include "heap/own_kinds.h"
#include "heap/own_large.h"
#include "heap/purge.h"
#include "heap/requests.h"
#include "policy/contextualise.h"
#include "sys/fail_point.h"
#include "sys/sys.h"

namespace mpol::heap {

using control::generation;
using control::kHasPolicy;
using control::load;
using control::local;
using control::SharedLatch;
using control::SharedMemory;
using control::store;

namespace {

// Under apply_mutex. Which scope each slot's thread allocates from, and at which generation of the
// slot's word that scope was bound; kept here because the segment can be written by others.
struct SlotScope {
    ScopeId scope;
    bool keeps_cached;  // the publication that it was bound by
    uint64_t bound;
};
constinit SlotScope slot_scopes[MPOL_CTL_SLOTS]{};
// Under apply_mutex. Generation of the process's word that its regions are bound to.
constinit uint64_t process_bound = 0;
// Under apply_mutex. Empty until a policy is asked for.
constinit NodeMask known_allowed;

enum class Asked { kNothing, kPolicy, kUnreadable };

// What the latch asks for. kUnreadable: keep what is in force.
Asked read_asked(const SharedLatch& latch, Policy& ret_policy, uint64_t& ret_word,
                 bool& ret_keeps_cached) {
    control::PolicyWords words;
    control::Origin origin;
    if (!control::latch_read(latch, words.words, ret_word)) {
        control::count(MPOL_CTL_LATCH_GAVE_UP);
        return Asked::kUnreadable;
    }
    ret_keeps_cached = control::keeps_cached(words);
    if ((ret_word & kHasPolicy) == 0) return Asked::kNothing;
    if (!control::decode(words, ret_policy, origin)) {
        control::record_error(MPOL_CTL_ERROR_LATCH, EINVAL, words.words[0]);
        return Asked::kUnreadable;
    }
    return Asked::kPolicy;
}

void publish_effective(const Binding& binding) {
    control::latch_flip(control::effective_latch(local), binding.set ? kHasPolicy : 0,
                        binding.effective.words);
}

// One pass: what it bound, to be purged and acknowledged once the mutex is free again.
struct Bound {
    bool allowed_synced = false;
    uint64_t process_generation = 0;  // 0: nothing new
    bool process_keeps_cached = false;
    uint64_t slots[MPOL_CTL_SLOTS / 64]{};
    uint64_t purged[MPOL_CTL_SLOTS / 64]{};  // scopes of those slots, to be purged: references
    uint32_t kinds = 0;                      // bits
    bool any = false;
};
static_assert(kScopesMax <= MPOL_CTL_SLOTS);

// apply_mutex held. With a reference, because that is done without the mutex.
void purge_later(ScopeId id, Bound& bound) {
    uint64_t& word = bound.purged[id / 64];
    const uint64_t bit = uint64_t{1} << (id % 64);
    if ((word & bit) != 0) return;
    word |= bit;
    get_scope(id);
}

int bind_process(const Binding& binding) {
    int first_error = bind_scope(kProcessScope, binding);
    for (unsigned id = 1; id < scope_count(); ++id) {
        if (!scope_at(static_cast<ScopeId>(id)).follows_process) continue;
        const int err = bind_scope(static_cast<ScopeId>(id), binding);
        if (first_error == 0) first_error = err;
    }
    return first_error;
}

// apply_mutex held. What a scope's binding becomes when the allowed nodes change.
void rebind_scope(ScopeId id, const NodeMask& old_allowed, const NodeMask& new_allowed) {
    Binding binding = read_binding(id);
    if (!binding.set) return;
    binding.effective = rebind(binding.policy, binding.effective, old_allowed, new_allowed);
    // A preferred node outside the cpuset can't be asked for again; mappings that have it keep it.
    if (!follows_allowed_nodes(binding.policy.mode) && !binding.effective.subset_of(new_allowed)) {
        return;
    }
    bind_scope(id, binding);
}

// apply_mutex held. Once a pass. Rebinding to the same nodes is a no-op.
NodeMask sync_allowed(Bound& bound) {
    if (bound.allowed_synced) return known_allowed;
    bound.allowed_synced = true;
    const NodeMask allowed = allowed_now();
    if (allowed == known_allowed) return allowed;
    const NodeMask before = known_allowed;
    known_allowed = allowed;
    control::latch_flip(control::allowed_latch(local), 0, allowed.words);
    if (before.empty()) return allowed;
    for (unsigned id = 0; id < scope_count(); ++id) {
        rebind_scope(static_cast<ScopeId>(id), before, allowed);
    }
    publish_effective(read_binding(kProcessScope));
    control::count(MPOL_CTL_REBINDS);
    return allowed;
}

// apply_mutex held.
void bind_process_as_asked(Bound& bound) {
    uint64_t word = SharedMemory::load(local.header.process_word);
    if (generation(word) == process_bound) return;
    Policy policy;
    Binding binding;
    int err = 0;
    switch (read_asked(control::process_latch(local), policy, word, bound.process_keeps_cached)) {
        case Asked::kUnreadable:
            return;
        case Asked::kNothing:
            err = bind_process(binding);
            break;
        case Asked::kPolicy:
            err = resolve(policy, sync_allowed(bound), binding);
            if (err == 0) err = bind_process(binding);
            break;
    }
    publish_effective(read_binding(kProcessScope));
    store(local.header.process_errno, static_cast<uint64_t>(-err));
    process_bound = generation(word);
    bound.process_generation = process_bound;
    bound.any = true;
}

// apply_mutex held. For a slot whose thread has a scope. True when that was bound.
bool bind_slot_as_asked(unsigned slot, Bound& bound) {
    SlotScope& at = slot_scopes[slot];
    uint64_t word = SharedMemory::load(local.slots[slot].word);
    if (at.scope == kProcessScope || generation(word) == at.bound) return false;
    Policy policy;
    Binding binding;
    int err = 0;
    switch (read_asked(control::slot_latch(local, slot), policy, word, at.keeps_cached)) {
        case Asked::kUnreadable:
            return false;
        case Asked::kNothing:
            // Memory of a thread that follows the process again follows it too.
            scope_at(at.scope).follows_process = true;
            err = bind_scope(at.scope, read_binding(kProcessScope));
            break;
        case Asked::kPolicy:
            err = resolve(policy, sync_allowed(bound), binding);
            if (err != 0) break;
            scope_at(at.scope).follows_process = false;
            err = bind_scope(at.scope, binding);
            break;
    }
    at.bound = generation(word);
    store(local.slots[slot].applied_errno, static_cast<uint32_t>(-err));
    bound.slots[slot / 64] |= uint64_t{1} << (slot % 64);
    bound.any = true;
    return true;
}

// apply_mutex held. rebound: the thread's own scope was.
void bind_large_of_slot(unsigned slot, bool rebound, Bound& bound) {
    const ScopeId id = bind_own_large(slot, slot_scopes[slot].scope, rebound);
    if (id == kProcessScope) return;
    bound.slots[slot / 64] |= uint64_t{1} << (slot % 64);
    if (own_large_is_purged(slot)) purge_later(id, bound);
    bound.any = true;
}

void bind_as_asked(Bound& bound) {
    if (any_binding()) (void)sync_allowed(bound);
    bind_process_as_asked(bound);
    // Before the process's: what was taken back from a thread is the process's.
    bound.any |= bind_own_kinds();
    bound.kinds =
        bind_kinds([](void* pass) { return sync_allowed(*static_cast<Bound*>(pass)); }, &bound);
    bound.any |= bound.kinds != 0;
    if (!several_scopes.load(std::memory_order_acquire)) return;
    const unsigned used = std::min(load(local.header.slots_used), MPOL_CTL_SLOTS);
    for (unsigned slot = 0; slot < used; ++slot) {
        const bool rebound = bind_slot_as_asked(slot, bound);
        const SlotScope& at = slot_scopes[slot];
        if (rebound && !at.keeps_cached) purge_later(at.scope, bound);
        bind_large_of_slot(slot, rebound, bound);
    }
}

template <class Visit>
void for_each_bit(const uint64_t (&words)[MPOL_CTL_SLOTS / 64], Visit visit) {
    for (unsigned word = 0; word < MPOL_CTL_SLOTS / 64; ++word) {
        for (uint64_t bits = words[word]; bits != 0; bits &= bits - 1) {
            visit(word * 64 + static_cast<unsigned>(std::countr_zero(bits)));
        }
    }
}

void purge(const Bound& bound) {
    if (bound.process_generation != 0 && !bound.process_keeps_cached) {
        purge_arena(kAllArenas);
        return;
    }
    for_each_bit(bound.purged,
                 [](unsigned id) { purge_arena(scope_at(static_cast<ScopeId>(id)).arena); });
    purge_kinds(bound.kinds);
}

void report(const Bound& bound) {
    const sys::Locked locked(apply_mutex);
    if (bound.process_generation > load(local.header.process_applied)) {
        store(local.header.process_applied, bound.process_generation);
    }
    for_each_bit(bound.slots, [](unsigned slot) {
        // Its thread may have gone since, and the next one acknowledges by itself.
        if (slot_scopes[slot].scope != kProcessScope) {
            store(local.slots[slot].applied, slot_scopes[slot].bound);
        }
        report_own_large(slot);
    });
    for_each_bit(bound.purged, [](unsigned id) { put_scope(static_cast<ScopeId>(id)); });
    report_kinds(bound.kinds);
    control::count(MPOL_CTL_APPLIED);
}

}  // namespace

int resolve(const Policy& policy, const NodeMask& allowed, Binding& ret_binding) {
    NodeMask effective;
    const int err = contextualise(policy, allowed, effective);
    if (err != 0) return err;
    // The kernel's default mode takes a policy away: the region then follows the task policy.
    ret_binding = {.set = policy.mode != Mode::kDefault, .policy = policy, .effective = effective};
    return 0;
}

NodeMask allowed_now() {
    NodeMask allowed;
    if (sys::get_mems_allowed(allowed) != 0) return NodeMask::first_nodes(kMaxNodes);
    return allowed;
}

bool allowed_have_changed() {
    NodeMask known;
    uint64_t word = 0;
    return control::latch_read(control::allowed_latch(local), known.words, word) &&
           known != allowed_now();
}

NodeMask sync_allowed_nodes() {
    Bound bound;
    return sync_allowed(bound);
}

bool any_binding() {
    for (unsigned id = 0; id < scope_count(); ++id) {
        if (is_bound(static_cast<ScopeId>(id))) return true;
    }
    return false;
}

void acknowledge() {
    control::add(local.header.ack, uint32_t{1});
    sys::futex_wake(&local.header.ack, INT32_MAX);
}

void apply_pending() {
    const uint64_t begin = sys::monotonic_ns();
    for (uint32_t seen = load(local.header.epoch);;) {
        if (serve_requests()) acknowledge();
        Bound bound;
        if (!apply_mutex.try_lock_or_pass_on()) return;
        (void)fail_point(sys::FailPoint::kApplyBegin);
        bind_as_asked(bound);
        (void)fail_point(sys::FailPoint::kApplyBound);
        apply_mutex.unlock();
        if (bound.any) {
            expect_rewrites();
            // Without the mutex: giving back gigabytes takes the kernel milliseconds.
            purge(bound);
            store(local.header.counters[MPOL_CTL_APPLY_NS_LAST], sys::monotonic_ns() - begin);
            (void)fail_point(sys::FailPoint::kApplyReport);
            report(bound);
            acknowledge();
        }
        // Again when something was published while the mutex was held here and refused elsewhere.
        const uint32_t now = load(local.header.epoch);
        if (now == seen) return;
        seen = now;
    }
}

ScopeId apply_first(int slot) {
    expect_rewrites();
    ScopeId scope = kProcessScope;
    Bound bound;
    {
        const sys::Locked locked(apply_mutex);
        Policy policy;
        Binding first;
        uint64_t word = 0;
        bool keeps_cached = false;
        const SharedLatch latch = control::slot_latch(local, static_cast<unsigned>(slot));
        if (read_asked(latch, policy, word, keeps_cached) == Asked::kPolicy) {
            (void)resolve(policy, sync_allowed(bound), first);
        }
        scope = take_scope(first);
        if (scope != kProcessScope) {
            slot_scopes[slot] = {scope, false, 0};
            (void)bind_slot_as_asked(static_cast<unsigned>(slot), bound);
        } else {
            store(local.slots[slot].applied_errno, uint32_t{EAGAIN});
        }
    }
    // A scope of a thread that has exited brings dirty extents of its policy.
    if (scope != kProcessScope) purge_arena(scope_at(scope).arena);
    return scope;
}

void adopt_scope(int slot, ScopeId scope) {
    const sys::Locked locked(apply_mutex);
    slot_scopes[slot] = {scope, false, 0};
}

void begin_process() {
    store(local.header.process_word, control::next_generation(control::kLive));
    inherit_process(true);
}

uint64_t process_bound_at() {
    return process_bound;
}

void inherit_process(bool bound) {
    process_bound = bound ? generation(SharedMemory::load(local.header.process_word)) : 0;
    store(local.header.process_applied, process_bound);
    publish_effective(read_binding(kProcessScope));
    control::latch_flip(control::allowed_latch(local), 0, known_allowed.words);
}

ScopesOfSlot get_scopes_of_slot(unsigned slot) {
    const sys::Locked locked(apply_mutex);
    const ScopesOfSlot scopes{slot_scopes[slot].scope, large_scope_of_slot(slot)};
    get_scope(scopes.own);
    get_scope(scopes.large);
    return scopes;
}

void put_scopes(const ScopesOfSlot& scopes) {
    const sys::Locked locked(apply_mutex);
    put_scope(scopes.own);
    put_scope(scopes.large);
}

void leave_scope(int slot) {
    const sys::Locked locked(apply_mutex);
    give_scope(slot_scopes[slot].scope);
    slot_scopes[slot] = {};
}

void forget_slot_scopes() {
    std::fill(std::begin(slot_scopes), std::end(slot_scopes), SlotScope{});
}

}  // namespace mpol::heap

// SPDX-License-Identifier: Apache-2.0
#include "heap/bindings.h"

#include <algorithm>
#include <cerrno>

#include "control/segment.h"
#include "heap/notify.h"
#include "heap/scopes.h"
#include "heap/weighted.h"
#include "policy/weights.h"
#include "sys/sys.h"

namespace mpol::heap {

using control::local;
using control::SharedLatch;
using control::SharedMemory;

namespace {

SharedLatch binding_latch(ScopeId id) {
    Scope& scope = scope_at(id);
    return {&scope.binding_word, scope.binding[0], scope.binding[1], kBindingWords};
}

}  // namespace

// The kernel keeps the user's mask where a mode flag asks for that, and refuses a
// static or relative mask that has nothing in the allowed set; then the effective nodes stand in.
int bind_range(void* start, size_t size, const Binding& binding) {
    const Policy& policy = binding.policy;
    control::count(MPOL_CTL_MBINDS);
    if (!binding.set) return sys::mbind(start, size, static_cast<int>(Mode::kDefault), {}, 0);
    const int mode_word = kernel_mode_word(policy);
    int err =
        sys::mbind(start, size, mode_word, policy.flags != 0 ? policy.nodes : binding.effective, 0);
    if (err == -EINVAL && policy.flags != 0) {
        err = sys::mbind(start, size, mode_word, binding.effective, 0);
    }
    if (err == 0 && policy.home_node != kNoNode) {
        err = sys::set_mempolicy_home_node(start, size, static_cast<unsigned>(policy.home_node), 0);
        if (err != 0) control::record_error(MPOL_CTL_ERROR_HOME_NODE, -err);
    }
    return err;
}

namespace {

void report_bound(Region& region, unsigned row, const Binding& binding, int err) {
    if (err == 0) {
        control::BoundWords words;
        if (binding.set) words = control::encode_bound(binding.policy, binding.effective);
        tell_bound(region, row, words);
    }
    if (!region.mirrored.load(std::memory_order_acquire)) return;
    control::store(local.regions[row].applied_errno, static_cast<uint32_t>(-err));
    control::store(local.regions[row].stretches, encode(layout_in_force(region.layout)));
}

// Each region is then cut by itself.
bool is_weighted(const Binding& binding) {
    return binding.set && has_own_weights(binding.policy);
}

int bind_region(Region& region, unsigned row, uintptr_t start, const Binding& binding) {
    const Notice notice(MPOL_EVENT_POLICY, reinterpret_cast<void*>(start), region.size);
    const int err = is_weighted(binding)
                        ? bind_stretches(start, region.size, region.layout, binding)
                        : bind_range(reinterpret_cast<void*>(start), region.size, binding);
    if (err != 0) {
        control::count(MPOL_CTL_MBIND_FAILURES);
        control::record_error(MPOL_CTL_ERROR_MBIND, -err, start, region.size,
                              static_cast<uint64_t>(binding.policy.mode_word()),
                              binding.effective.words[0]);
    }
    report_bound(region, row, binding, err);
    return err;
}

// Rows first..last-1 of a scope, whose regions lie side by side, in either direction. Half the time
// of an mbind is not spent on the range.
struct Run {
    unsigned first;
    unsigned last;
    uintptr_t start;
    uintptr_t end;
};

// The run that begins at the first row >= from; empty (first == last) when there is none.
Run next_run(ScopeId id, unsigned from) {
    const unsigned count = region_count();
    Run run{count, count, 0, 0};
    for (unsigned row = from; row < count; ++row) {
        const Region& region = region_at(row);
        const uintptr_t start = region.start.load(std::memory_order_acquire);
        const uintptr_t end = start + region.size;
        const bool ours = start != 0 && region.scope == id;
        if (run.first == count) {
            if (ours) run = {row, row + 1, start, end};
            continue;
        }
        if (!ours || (end != run.start && start != run.end)) break;
        run = {run.first, row + 1, std::min(start, run.start), std::max(end, run.end)};
    }
    return run;
}

bool bind_whole_run(const Run& run, const Binding& binding) {
    auto* const start = reinterpret_cast<void*>(run.start);
    const Notice notice(MPOL_EVENT_POLICY, start, run.end - run.start);
    if (bind_range(start, run.end - run.start, binding) != 0) return false;
    for (unsigned row = run.first; row < run.last; ++row) {
        report_bound(region_at(row), row, binding, 0);
    }
    return true;
}

int bind_run(const Run& run, const Binding& binding) {
    const bool whole = run.last - run.first > 1 && !is_weighted(binding);
    if (whole && bind_whole_run(run, binding)) return 0;
    // One by one it is told which can't be bound, and the others are.
    int first_error = 0;
    for (unsigned row = run.first; row < run.last; ++row) {
        Region& region = region_at(row);
        const auto start = region.start.load(std::memory_order_relaxed);
        const int err = bind_region(region, row, start, binding);
        if (first_error == 0) first_error = err;
    }
    return first_error;
}

}  // namespace

namespace {

Binding read_binding_at(ScopeId id, uint64_t& ret_word) {
    control::PolicyWords policy;
    uint64_t words[kBindingWords];
    // The writer is of this process and publishes at most once for each system call on a region, so
    // this ends; in a forked child there is no writer.
    while (!control::latch_read(binding_latch(id), words, ret_word)) {
    }
    Binding binding;
    std::copy_n(words, control::kPolicyWords, policy.words);
    control::Origin origin;
    binding.set =
        (ret_word & control::kHasPolicy) != 0 && control::decode(policy, binding.policy, origin);
    std::copy_n(words + control::kPolicyWords, kNodeWords, binding.effective.words);
    return binding;
}

}  // namespace

Binding read_binding(ScopeId id) {
    uint64_t word = 0;
    return read_binding_at(id, word);
}

bool is_bound(ScopeId id) {
    return (SharedMemory::load(scope_at(id).binding_word) & control::kHasPolicy) != 0;
}

uint64_t binding_generation(ScopeId id) {
    return control::generation(SharedMemory::load(scope_at(id).binding_word));
}

int bind_scope(ScopeId id, const Binding& binding) {
    const control::PolicyWords policy = control::encode(binding.policy, {});
    uint64_t words[kBindingWords];
    std::copy_n(policy.words, control::kPolicyWords, words);
    std::copy_n(binding.effective.words, kNodeWords, words + control::kPolicyWords);
    control::latch_flip(binding_latch(id), binding.set ? control::kHasPolicy : 0, words);
    scope_at(id).meeting.fetch_add(1, std::memory_order_acq_rel);  // Pairs with bind_new_region.
    int first_error = 0;
    for (Run run = next_run(id, 0); run.first < run.last; run = next_run(id, run.last)) {
        const int err = bind_run(run, binding);
        if (first_error == 0) first_error = err;
    }
    return first_error;
}

namespace {

// Since the binding was made the cpuset has moved, and nobody has acted on it: a forked child has
// no helper.
bool allowed_has_changed() {
    NodeMask known;
    NodeMask now;
    uint64_t word = 0;
    return sys::get_mems_allowed(now) == 0 &&
           control::latch_read(control::allowed_latch(local), known.words, word) && now != known;
}

}  // namespace

void bind_new_region(Region& region, unsigned row) {
    uint64_t seen = 0;
    uint64_t word = 0;
    bool bound = false;
    // The region was entered before this. Whichever of bind_scope and this comes second at the
    // meeting point sees what the other wrote: the new binding here, or the new region there.
    scope_at(region.scope).meeting.fetch_add(1, std::memory_order_acq_rel);
    do {
        const Binding binding = read_binding_at(region.scope, word);
        seen = word;
        // Nothing was ever bound: leave the new mapping to the task policy without a system call.
        if (binding.set || bound) {
            const uintptr_t start = region.start.load(std::memory_order_relaxed);
            const int err = bind_region(region, row, start, binding);
            // The next allocator call, or the helper, binds all regions anew.
            if (err == -EINVAL || (binding.set && allowed_has_changed())) {
                control::add(local.header.epoch, uint32_t{1});
                sys::futex_wake(&local.header.epoch, INT32_MAX);
            }
            bound = true;
        }
        word = SharedMemory::load(scope_at(region.scope).binding_word);
    } while (word != seen);
}

void bind_new_range(ScopeId id, void* start, size_t size, bool bound) {
    uint64_t seen = 0;
    uint64_t word = 0;
    do {
        const Binding binding = read_binding_at(id, word);
        seen = word;
        if (binding.set || bound) {
            const int err = bind_range(start, size, binding);
            if (err != 0) {
                control::record_error(
                    MPOL_CTL_ERROR_MBIND, -err, reinterpret_cast<uintptr_t>(start), size,
                    static_cast<uint64_t>(binding.policy.mode_word()), binding.effective.words[0]);
            }
            bound = true;
        }
        word = SharedMemory::load(scope_at(id).binding_word);
    } while (word != seen);
}

}  // namespace mpol::heap

// SPDX-License-Identifier: Apache-2.0
#include "heap/locks.h"

#include <cerrno>

#include "control/segment.h"
#include "heap/notify.h"
#include "heap/scopes.h"
#include "heap/task.h"

namespace mpol::heap {

constinit ApplyMutex apply_mutex;
constinit Gate request_gate;
constinit Gate migration_gate;
constinit Gate slot_gate;

namespace {

constinit sys::Mutex above_all;  // Protects nothing; orders those who close gates.
thread_local constinit bool holds_all MPOL_TLS = false;
// The thread forks while it holds everything by its own call.
thread_local constinit bool held_before_fork MPOL_TLS = false;

constexpr Gate* kGates[] = {&request_gate, &migration_gate, &slot_gate};

// Closes gate_at(0) to gate_at(count - 1), or none.
template <class GateAt>
int close_gates(unsigned count, GateAt gate_at) {
    for (unsigned i = 0; i < count; ++i) {
        if (const int err = gate_at(i).close(); err != 0) {
            while (i > 0) gate_at(--i).open();
            return err;
        }
    }
    return 0;
}

Gate& outer_gate(unsigned index) { return *kGates[index]; }
constexpr unsigned kOuterGates = sizeof(kGates) / sizeof(kGates[0]);

// No scope comes into being while apply_mutex is held.
Gate& growth_gate(unsigned id) { return scope_at(static_cast<ScopeId>(id)).growth; }

int take_outer() {
    if (const int err = above_all.lock_interruptibly(); err != 0) return err;
    int err = apply_mutex.lock_interruptibly();
    if (err == 0) {
        err = close_gates(kOuterGates, outer_gate);
        if (err == 0) return 0;
        apply_mutex.unlock();
    }
    above_all.unlock();
    return err;
}

void drop_outer() {
    for (unsigned i = kOuterGates; i > 0; --i) outer_gate(i - 1).open();
    // Those who had something to apply meanwhile are answered here.
    apply_mutex.unlock();
    above_all.unlock();
}

}  // namespace

void ApplyMutex::ring_doorbell() {
    control::add(control::local.header.epoch, uint32_t{1});
    sys::futex_wake(&control::local.header.epoch, INT32_MAX);
}

int take_all_locks() {
    if (holds_all || in_notifier()) return -EDEADLK;
    if (const int err = take_outer(); err != 0) return err;
    if (const int err = close_gates(scope_count(), growth_gate); err != 0) {
        drop_outer();
        return err;
    }
    holds_all = true;
    return 0;
}

int drop_all_locks() {
    if (!holds_all) return -EPERM;
    holds_all = false;
    open_growth();
    drop_outer();
    return 0;
}

bool holds_all_locks() { return holds_all; }

void take_locks_for_fork() {
    held_before_fork = holds_all;
    if (held_before_fork) {
        // Threads may be waiting at these gates inside jemalloc's locks, which fork is about to take.
        open_growth();
        return;
    }
    while (take_outer() != 0) {
    }
}

void close_growth() {
    while (close_gates(scope_count(), growth_gate) != 0) {
    }
}

void open_growth() {
    for (unsigned id = scope_count(); id > 0; --id) growth_gate(id - 1).open();
}

void drop_locks_after_fork() {
    if (held_before_fork) {
        close_growth();
    } else {
        drop_outer();
    }
}

void renew_locks() {
    for (Gate* const gate : kGates) gate->renew();
    for (unsigned id = 0; id < scope_count(); ++id) growth_gate(id).renew();
    apply_mutex.renew();
    above_all.renew();
    holds_all = false;
}

}  // namespace mpol::heap

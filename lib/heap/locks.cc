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
constinit Gate purge_gate;

namespace {

constinit Gate mapping_gate;
constinit sys::Mutex above_all;  // Protects nothing; orders those who close gates.
thread_local constinit bool holds_all MPOL_TLS = false;
// The thread forks while it holds everything by its own call.
thread_local constinit bool held_before_fork MPOL_TLS = false;
// The thread closes the gate of mappings, or has closed it; and how often it is inside, or on its
// way there. Read by its own signal handlers.
thread_local constinit std::atomic<bool> closes_mappings MPOL_TLS{false};
thread_local constinit std::atomic<unsigned> inside_mappings MPOL_TLS{0};

constexpr Gate* kGates[] = {&request_gate, &migration_gate, &slot_gate, &purge_gate};

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

Gate& outer_gate(unsigned index) {
    return *kGates[index];
}
constexpr unsigned kOuterGates = sizeof(kGates) / sizeof(kGates[0]);

// No scope comes into being while apply_mutex is held.
Gate& growth_gate(unsigned id) {
    return scope_at(static_cast<ScopeId>(id)).growth;
}

int close_inner() {
    if (const int err = close_gates(scope_count(), growth_gate); err != 0) return err;
    closes_mappings.store(true, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    const int err = mapping_gate.close();
    if (err == 0) return 0;
    closes_mappings.store(false, std::memory_order_relaxed);
    for (unsigned id = scope_count(); id > 0; --id) growth_gate(id - 1).open();
    return err;
}

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
    const sys::HeldSignals held;
    if (const int err = take_outer(); err != 0) return err;
    if (const int err = close_inner(); err != 0) {
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

bool holds_all_locks() {
    return holds_all;
}

InsideMappings::InsideMappings() {
    const unsigned before = inside_mappings.load(std::memory_order_relaxed);
    inside_mappings.store(before + 1, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    if (closes_mappings.load(std::memory_order_relaxed)) return;
    before == 0 ? mapping_gate.enter() : mapping_gate.enter_again();
    entered_ = true;
}

InsideMappings::~InsideMappings() {
    if (entered_) mapping_gate.leave();
    std::atomic_signal_fence(std::memory_order_seq_cst);
    inside_mappings.store(inside_mappings.load(std::memory_order_relaxed) - 1,
                          std::memory_order_relaxed);
}

PurgesHeldOff::PurgesHeldOff() {
    if (holds_all || in_notifier()) return;
    above_all.lock();
    while (purge_gate.close() != 0) {
    }
    closed_ = true;
}

PurgesHeldOff::~PurgesHeldOff() {
    if (!closed_) return;
    purge_gate.open();
    above_all.unlock();
}

void take_locks_for_fork() {
    held_before_fork = holds_all;
    if (held_before_fork) {
        // Threads may be waiting at these gates inside jemalloc's locks, which fork is about to
        // take.
        open_growth();
        return;
    }
    while (take_outer() != 0) {
    }
}

void close_growth() {
    while (close_inner() != 0) {
    }
}

void open_growth() {
    mapping_gate.open();
    closes_mappings.store(false, std::memory_order_relaxed);
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
    mapping_gate.renew();
    closes_mappings.store(false, std::memory_order_relaxed);
    inside_mappings.store(0, std::memory_order_relaxed);
    apply_mutex.renew();
    above_all.renew();
    holds_all = false;
}

}  // namespace mpol::heap

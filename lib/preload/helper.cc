// SPDX-License-Identifier: Apache-2.0
// The helper thread: applies what is published to memory whose threads are busy elsewhere, and takes
// home what idle threads hold of others' memory. It has no slot, blocks all signals, sleeps on the
// segment's epoch (without a timeout while nobody holds anything), and is forgotten by a forked child.
#include <sys/prctl.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>

#include "control/segment.h"
#include "heap/apply.h"
#include "heap/task.h"
#include "preload/foreign_batch.h"
#include "preload/process.h"
#include "preload/real.h"
#include "sys/sys.h"

namespace mpol::preload {

using control::load;
using control::local;

namespace {

enum class State : uint8_t { kNone, kStarting, kRunning, kLeaving };
constinit std::atomic<State> state{State::kNone};

void set_status(bool running) {
    if (running) {
        __atomic_fetch_or(&local.header.status, MPOL_CTL_STATUS_HELPER, __ATOMIC_ACQ_REL);
    } else {
        __atomic_fetch_and(&local.header.status, ~MPOL_CTL_STATUS_HELPER, __ATOMIC_ACQ_REL);
    }
}

void* help(void*) {
    heap::this_task.in_slow_path = true;  // Its own allocator calls concern nobody.
    ::prctl(PR_SET_NAME, "mpol-helper");
    set_status(true);
    while (state.load(std::memory_order_acquire) == State::kRunning) {
        const uint32_t seen = load(local.header.epoch);
        heap::apply_pending();
        nudge_threads();
        if (heap::any_binding()) start_cpuset_watch();
        sys::futex_wait(&local.header.epoch, seen, sweep_foreign());
    }
    set_status(false);
    state.store(State::kNone, std::memory_order_release);
    return nullptr;
}

bool turned_off() {
    const char* value = secure_getenv("MPOL_HELPER");
    return value != nullptr && value[0] == '0' && value[1] == '\0';
}

}  // namespace

bool helper_runs() { return state.load(std::memory_order_acquire) == State::kRunning; }

void start_helper() {
    if (real_pthread_create() == nullptr) return;  // Before the constructor.
    State none = State::kNone;
    if (!state.compare_exchange_strong(none, State::kStarting, std::memory_order_acq_rel)) return;
    if (turned_off()) return;  // kStarting for good.
    state.store(State::kRunning, std::memory_order_release);
    const int err = create_own_thread(help);
    if (err != 0) {
        state.store(State::kNone, std::memory_order_release);
        control::record_error(MPOL_CTL_ERROR_HELPER, err);
    }
}

void stop_helper() {
    State running = State::kRunning;
    if (!state.compare_exchange_strong(running, State::kLeaving, std::memory_order_acq_rel)) return;
    control::add(local.header.epoch, uint32_t{1});
    sys::futex_wake(&local.header.epoch, INT32_MAX);
    stop_cpuset_watch();
}

void forget_helper() {
    forget_cpuset_watch();
    // kStarting may be a thread of the parent's that was in start_helper.
    state.store(State::kNone, std::memory_order_release);
}

}  // namespace mpol::preload

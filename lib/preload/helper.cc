// SPDX-License-Identifier: Apache-2.0
// The helper thread: applies what is published to memory whose threads are busy elsewhere, and
// takes home what idle threads hold of others' memory. It keeps the segment's descriptor, which the
// program may close, in a table of its own. It has no slot, blocks all signals, sleeps
// on the segment's epoch (without a timeout while nobody holds anything), and is forgotten by a
// forked child.
#include <sys/prctl.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>

#include "control/segment.h"
#include "heap/apply.h"
#include "heap/hurry.h"
#include "heap/migrate.h"
#include "heap/purge.h"
#include "heap/task.h"
#include "heap/vacated.h"
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

// Threads that flush their caches after one rewrite do so within about the first time, if they
// allocate at all: one purge then serves all of them. What they have freed since is purged as well,
// in pieces where there was one, so it is to be little. Those that are late share one in the second
// time.
constexpr uint64_t kPurgeAfterNs = 100'000;
constexpr uint64_t kPurgeEveryNs = 10'000'000;

constinit std::atomic<bool> purge_asked{false};
// The helper looks at purge_asked again at a time of its own and need not be called for it.
constinit std::atomic<bool> purge_due{false};
constinit uint64_t purge_ns = 0;  // when; the helper's

// Threads that come and go do so again within this time, or for now no more.
constexpr uint64_t kPurgeVacatedAfterNs = 1'000'000'000;

constinit std::atomic<bool> vacated_noted{false};
constinit uint64_t vacated_ns = 0;  // when to look at them, 0: not set; the helper's

// 0: the helper is awake, or will be within kSweepNs. Else the number of the rest that it takes
// until it is called.
constinit std::atomic<uint32_t> rest{0};
constinit uint32_t rests = 0;  // The helper's.

// It has announced its rest and sleeps a few instructions later.
constexpr int kCallsMax = 64;

void set_status(bool running) {
    if (running) {
        __atomic_fetch_or(&local.header.status, MPOL_CTL_STATUS_HELPER, __ATOMIC_ACQ_REL);
    } else {
        __atomic_fetch_and(&local.header.status, ~MPOL_CTL_STATUS_HELPER, __ATOMIC_ACQ_REL);
    }
}

// Of two waits, -1 being one without limit.
int64_t shorter(int64_t one, int64_t other) {
    if (one < 0 || other < 0) return std::max(one, other);
    return std::min(one, other);
}

// How long until the purge that was asked for; -1: none was.
int64_t purge_as_asked() {
    if (!purge_due.load(std::memory_order_relaxed)) {
        if (!purge_asked.load(std::memory_order_acquire)) return -1;
        // Of the last one: when it was due.
        purge_ns = std::max(sys::monotonic_ns() + kPurgeAfterNs, purge_ns + kPurgeEveryNs);
        purge_due.store(true);
    }
    const auto left_ns = static_cast<int64_t>(purge_ns - sys::monotonic_ns());
    if (left_ns > 0) return left_ns;
    // Pairs with ask_for_purge: either it calls, or what it asks for is seen here.
    purge_due.store(false);
    if (purge_asked.exchange(false)) heap::purge_arena(heap::kAllArenas);
    return -1;
}

// How long until the arenas without threads are looked at; -1: none was noted.
int64_t purge_vacated_in_time() {
    if (!vacated_noted.load(std::memory_order_acquire)) return -1;
    const uint64_t now = sys::monotonic_ns();
    if (vacated_ns == 0) vacated_ns = now + kPurgeVacatedAfterNs;
    if (now < vacated_ns) return static_cast<int64_t>(vacated_ns - now);
    vacated_ns = 0;
    // Before the look: what is noted from now on is looked at again.
    vacated_noted.exchange(false, std::memory_order_acq_rel);
    heap::purge_vacated();
    return -1;
}

// What others hold or have left, to be seen to in time; -1: nothing.
int64_t see_to_leftovers() {
    return shorter(sweep_foreign(), purge_vacated_in_time());
}

// How long the helper may sleep, -1 without limit: nobody needs it, and whoever does calls it.
int64_t nap_ns(int64_t purge_in_ns) {
    const int64_t due_ns = shorter(see_to_leftovers(), purge_in_ns);
    if (due_ns >= 0) return due_ns;
    // Pairs with the addition in call_helper: either what it is called for is seen here, or its
    // rest is seen there. (No fences: ThreadSanitizer does not model them.)
    rest.exchange(++rests == 0 ? ++rests : rests, std::memory_order_acq_rel);
    const bool due = purge_asked.load(std::memory_order_relaxed) || cpuset_watch_is_due();
    const int64_t then_due_ns = due ? 0 : see_to_leftovers();
    if (then_due_ns >= 0) rest.store(0, std::memory_order_relaxed);
    return then_due_ns;
}

void* help(void*) {
    heap::this_task.in_slow_path = true;  // Its own allocator calls concern nobody.
    ::prctl(PR_SET_NAME, "mpol-helper");
    // Under a seccomp filter a call that nobody asked for may kill.
    if (sys::seccomp_mode() == 0) (void)control::leave_descriptors();
    heap::hurry();
    set_status(true);
    int64_t pause_ns = -1;
    uint32_t nudged = 0;
    while (state.load(std::memory_order_acquire) == State::kRunning) {
        const uint32_t seen = load(local.header.epoch);
        heap::apply_pending();
        const int64_t purge_in_ns = purge_as_asked();
        if (pause_ns < 0 || seen != nudged) nudge_threads();
        nudged = seen;
        if (cpuset_watch_is_due()) {
            const heap::Unhurried unhurried;
            start_cpuset_watch();
        }
        // What is published comes first: between two batches it is applied.
        pause_ns = heap::migrate_some();
        const int64_t due_ns =
            pause_ns == 0 ? see_to_leftovers() : shorter(nap_ns(purge_in_ns), pause_ns);
        if (pause_ns != 0) sys::futex_wait(&local.header.epoch, seen, due_ns);
        rest.store(0, std::memory_order_relaxed);
    }
    set_status(false);
    stop_cpuset_watch();  // Again: it may have been started here since the last thread left.
    state.store(State::kNone, std::memory_order_release);
    return nullptr;
}

bool turned_off() {
    const char* value = secure_getenv("MPOL_HELPER");
    return value != nullptr && value[0] == '0' && value[1] == '\0';
}

}  // namespace

bool helper_runs() {
    return state.load(std::memory_order_acquire) == State::kRunning;
}

bool helper_is_missing() {
    return real_pthread_create() != nullptr &&  // Else it is before the constructor.
           state.load(std::memory_order_relaxed) == State::kNone;
}

void start_helper() {
    if (!helper_is_missing()) return;  // Writes nothing then.
    State none = State::kNone;
    if (!state.compare_exchange_strong(none, State::kStarting, std::memory_order_acq_rel)) return;
    if (turned_off()) return;  // kStarting for good.
    state.store(State::kRunning, std::memory_order_release);
    const int err = create_own_thread(OwnThread::kHelper, help);
    if (err != 0) {
        state.store(State::kNone, std::memory_order_release);
        control::record_error(MPOL_CTL_ERROR_HELPER, err);
    }
}

void call_helper() {
    for (int i = 0; i < kCallsMax; ++i) {
        // Changes nothing. Pairs with the exchange in nap_ns.
        uint32_t resting = rest.fetch_add(0, std::memory_order_acq_rel);
        if (resting == 0) return;
        if (sys::futex_wake(&local.header.epoch, 1) > 0) {
            rest.compare_exchange_strong(resting, 0, std::memory_order_acq_rel);
            return;
        }
        sys::yield();
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
    rest.store(0, std::memory_order_release);
    purge_asked.store(false, std::memory_order_relaxed);
    vacated_noted.store(false, std::memory_order_relaxed);
    vacated_ns = 0;
    purge_due.store(false, std::memory_order_release);
}

}  // namespace mpol::preload

bool mpol::heap::ask_for_purge() {
    if (!preload::helper_runs()) return false;
    preload::purge_asked.store(true);
    if (preload::purge_due.load()) return true;
    sys::futex_wake(&control::local.header.epoch, 1);  // Also from a nap.
    preload::call_helper();
    return true;
}

bool mpol::heap::ask_for_purge_of_vacated() {
    if (!preload::helper_runs()) return false;
    if (!preload::vacated_noted.exchange(true, std::memory_order_acq_rel)) preload::call_helper();
    return true;
}

// SPDX-License-Identifier: Apache-2.0
// Fork. As in the kernel the child copies the task's and the ranges' policies; it gets a segment of
// its own, at its first allocator call, and never writes the parent's.
//
// Order of locks over a fork: stdio's list, all of heap/locks.h but the growth gates, jemalloc's,
// the growth gates. jemalloc registers its handlers with us instead of libc (rename-jemalloc), so
// that one handler has the order in its hands; it does so in its own initialisation, which comes
// before everything that a fork could lose. stdio's list comes first of all because glibc takes it
// later, and a thread that holds it may be waiting for one that is inside malloc (glibc's
// tst-malloc-fork-deadlock). The growth gates come last because threads wait at them inside
// jemalloc's locks.
#include <pthread.h>

#include <cstring>

#include "control/events.h"
#include "control/saved.h"
#include "control/segment.h"
#include "control/slots.h"
#include "heap/apply.h"
#include "heap/kind_ranges.h"
#include "heap/kinds.h"
#include "heap/locks.h"
#include "heap/migrate.h"
#include "heap/own_kinds.h"
#include "heap/own_large.h"
#include "heap/requests.h"
#include "heap/task.h"
#include "preload/foreign_batch.h"
#include "preload/process.h"
#include "preload/slow_path.h"
#include "sys/fail_point.h"
#include "sys/sys.h"

extern "C" {
[[gnu::weak]] void _IO_list_lock();
[[gnu::weak]] void _IO_list_unlock();
[[gnu::weak]] extern char __libc_single_threaded;
}

namespace mpol::preload {

using control::generation;
using control::kHasPolicy;
using control::load;
using control::local;
using control::SharedMemory;
using control::store;

namespace {

constinit bool list_locked = false;
constinit bool list_reset_by_libc = false;

void lock_stdio() {
    if (_IO_list_lock == nullptr || _IO_list_unlock == nullptr) return;
    // With several threads glibc itself takes the list and, in the child, makes it new.
    list_reset_by_libc = &__libc_single_threaded != nullptr && __libc_single_threaded == 0;
    _IO_list_lock();
    list_locked = true;
}

void unlock_stdio(bool in_child) {
    if (!list_locked) return;
    list_locked = false;
    if (!in_child || !list_reset_by_libc) _IO_list_unlock();
}

struct ForkHandlers {
    void (*prepare)();
    void (*parent)();
    void (*child)();
};
// jemalloc's. Written once, before ours are registered.
constinit ForkHandlers jemalloc{};

void prepare() {
    if (!heap::holds_all_locks()) check();
    const sys::ErrnoGuard guard;
    (void)fail_point(sys::FailPoint::kForkPrepare);
    lock_stdio();
    heap::take_locks_for_fork();
    jemalloc.prepare();
    heap::close_growth();
    (void)fail_point(sys::FailPoint::kForkLocked);
}

void parent() {
    const sys::ErrnoGuard guard;
    heap::open_growth();
    jemalloc.parent();
    heap::drop_locks_after_fork();
    unlock_stdio(false);
    (void)fail_point(sys::FailPoint::kForkParent);
}

// The parent's process policy, as the child's own segment will show it.
struct Legacy {
    control::PolicyWords policy;
    uint64_t inherited[control::kPolicyWords];
    bool has_policy;
    bool bound;
    uint32_t saved_flags;
    control::SavedRow saved;  // what a daemon keeps of it
    bool daemons;
};

control::SavedRow read_saved_of_process() {
    return control::saved_rows_usable(0) ? control::read_saved(local.saved[0])
                                         : control::SavedRow{};
}

// What the process had before the daemon came. The memory is bound to the daemon's.
void give_back(Legacy& legacy) {
    const bool had_policy = legacy.saved.state == MPOL_CTL_SAVED_HELD && legacy.saved.had_policy;
    legacy.policy = legacy.saved.policy;
    legacy.has_policy = had_policy;
    legacy.bound = false;
}

// A daemon keeps what there was, then publishes; undo announces itself, gives back, then forgets
// what was kept (Target::hold, Target::undo). Read in the order that knows each of them halfway.
Legacy read_legacy() {
    Legacy legacy{};
    uint64_t word = 0;
    legacy.saved = read_saved_of_process();
    if (control::latch_read(control::process_latch(local), legacy.policy.words, word)) {
        legacy.has_policy = (word & kHasPolicy) != 0;
        // Not as the segment says: the parent goes on there, and what it has applied since is bound
        // in its memory alone.
        legacy.bound = generation(word) == heap::process_bound_at();
    }
    (void)fail_point(sys::FailPoint::kForkLegacy);
    const bool daemons = control::origin_kind(legacy.policy) == MPOL_CTL_ORIGIN_DAEMON;
    if (daemons && legacy.saved.state == MPOL_CTL_SAVED_NONE) {
        legacy.saved = read_saved_of_process();
    }
    legacy.saved_flags = load(local.header.saved);
    if ((legacy.saved_flags & MPOL_CTL_SAVED_UNDONE) != 0) {
        if (daemons) give_back(legacy);
        legacy.saved = {};
    }
    legacy.daemons = control::is_daemons(legacy.saved, word, legacy.policy);
    for (unsigned i = 0; i < control::kPolicyWords; ++i) {
        legacy.inherited[i] = load(local.header.inherited[i]);
    }
    return legacy;
}

void write_legacy(const Legacy& legacy) {
    for (unsigned i = 0; i < control::kPolicyWords; ++i) {
        store(local.header.process_policy[i], legacy.policy.words[i]);
        store(local.header.inherited[i], legacy.inherited[i]);
    }
    const uint64_t word =
        control::next_generation(control::kLive | (legacy.has_policy ? kHasPolicy : 0));
    store(local.header.process_word, word);
    store(local.header.saved, legacy.saved_flags);
    if (legacy.saved.state != MPOL_CTL_SAVED_NONE) {
        control::write_saved(local.saved[0], control::inherited_row(legacy.saved, legacy.daemons,
                                                                    generation(word), 0));
    }
    uint32_t status = 0;
    if (heap::several_scopes.load(std::memory_order_relaxed)) status |= MPOL_CTL_STATUS_MULTI;
    if (legacy.inherited[0] != 0) status |= MPOL_CTL_STATUS_INHERITED;
    store(local.header.status, status);
    heap::inherit_process(legacy.bound);
}

// The only thread. Locks are whose they may be.
void leave_parent() {
    (void)fail_point(sys::FailPoint::kForkChild);
    const Legacy legacy = read_legacy();
    const heap::KindLegacy kinds = heap::read_kinds();
    const heap::Inheritance own = heap::inheritance();
    control::abandon();
    write_legacy(legacy);
    heap::inherit_kinds(kinds);
    heap::forget_marks();
    heap::forget_placers();
    control::forget_slots();
    control::forget_events();
    heap::renew_requests();
    heap::forget_migration();
    heap::orphan_scopes(heap::this_task.owned_scope, heap::this_task.large_scope);
    heap::forget_slot_scopes();
    heap::forget_own_large();
    heap::rebirth_task();
    forget_helper();
    inherit_foreign();
    forget_threads(own);
    (void)fail_point(sys::FailPoint::kForkRenewed);
}

void child() {
    const sys::ErrnoGuard guard;
    heap::renew_locks();
    jemalloc.child();
    leave_parent();
    unlock_stdio(true);
}

}  // namespace

// Only system calls and plain stores: may run inside jemalloc's locks.
void become_child() {
    // No handler ran (raw clone), so any lock may be a lost thread's.
    heap::renew_locks();
    leave_parent();
}

}  // namespace mpol::preload

void mpol::heap::meet_copy() {
    mpol::preload::become_child();
}

// What jemalloc calls instead of pthread_atfork.
extern "C" int mpol_fork_atfork(void (*prepare)(), void (*parent)(), void (*child)()) {
    using namespace mpol;
    preload::jemalloc = {prepare, parent, child};
    return pthread_atfork(preload::prepare, preload::parent, preload::child);
}

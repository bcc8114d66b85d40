// SPDX-License-Identifier: Apache-2.0
#include "preload/process.h"

#include <cerrno>
#include <cstdlib>

#include "control/segment.h"
#include "heap/apply.h"
#include "heap/je.h"
#include "heap/purge.h"
#include "heap/regions.h"
#include "heap/task.h"
#include "preload/slow_path.h"
#include "sys/mutex.h"
#include "sys/sys.h"

namespace mpol::preload {

using control::load;
using control::local;
using control::store;

namespace {

constinit sys::Mutex publish_mutex;

// The kernel task policy that the program was started with, by mpol run, numactl or its parent.
void record_inherited() {
    Policy policy;
    int mode_word = 0;
    const int err = sys::get_mempolicy(mode_word, policy.nodes);
    if (err != 0) {
        control::record_error(MPOL_CTL_ERROR_PROBE, -err);
        if (err == -EPERM || err == -ENOSYS) {
            __atomic_fetch_or(&local.header.status, MPOL_CTL_STATUS_NO_NUMA, __ATOMIC_ACQ_REL);
        }
        return;
    }
    policy.mode = static_cast<Mode>(mode_word & ~kModeFlags);
    policy.flags = static_cast<uint16_t>(mode_word & kModeFlags);
    if (policy.mode == Mode::kDefault) return;
    const control::PolicyWords words =
        control::encode(policy, {MPOL_CTL_ORIGIN_INHERITED, 0, 0, sys::realtime_ns()});
    for (unsigned i = 0; i < control::kPolicyWords; ++i) {
        store(local.header.inherited[i], words.words[i]);
    }
    __atomic_fetch_or(&local.header.status, MPOL_CTL_STATUS_INHERITED, __ATOMIC_ACQ_REL);
}

// mpol run leaves the pid that it has and the program will have.
void record_launcher() {
    const char* launcher = secure_getenv("MPOL_LAUNCHED");
    if (launcher == nullptr || std::atoi(launcher) != static_cast<int>(local.header.pid)) return;
    const uint64_t word = load(local.header.inherited[0]);
    if (word == 0) return;
    store(local.header.inherited[0],
          (word & ~uint64_t{0xff00}) | static_cast<uint64_t>(MPOL_CTL_ORIGIN_LAUNCHER) << 8);
}

}  // namespace

void ensure_published() {
    if (load(local.header.magic) != 0) return;
    const sys::Locked locked(publish_mutex);
    if (load(local.header.magic) != 0) return;
    const bool copied = load(local.header.process_word) != 0;
    // Under a seccomp filter nothing is asked before somebody sets a policy, and nobody is called.
    const bool filtered = sys::seccomp_mode() != 0;
    if (!copied) {
        // Before anyone can ask for something: what is asked for from then on is new.
        heap::begin_process();
        if (!filtered) record_inherited();
    }
    const bool published = control::publish() == 0;
    if (copied) heap::mirror_regions();
    if (published && !filtered) say_hello();
}

// Other libraries may have allocated before this runs; what they needed is done by then.
[[gnu::constructor]] static void construct() {
    const sys::ErrnoGuard guard;
    check();
    je_free(je_malloc(1));  // With which jemalloc registers its fork handlers, and fork.cc its own.
    resolve_threads();
    resolve_mmap();
    set_up_nudge();
    record_launcher();
}

bool catch_up(Call call) {
    if (routed_and_up_to_date()) return false;
    heap::Task& task = heap::this_task;
    const sys::ErrnoGuard guard;
    if (task.in_slow_path) return false;
    task.in_slow_path = true;
    if (control::copied()) become_child();
    // All of it waits for an allocation then, which starts the helper.
    if (call == Call::kFrees && helper_is_missing()) {
        task.in_slow_path = false;
        return false;
    }
    heap::settle_free_blocks();
    const bool was_due = task.cache_due;
    // Nothing else is new since its last call.
    if (was_due && task.due_epoch == load(local.header.epoch)) {
        task.in_slow_path = false;
        return true;
    }
    ensure_published();
    // Before reading what was published: a later publication brings the thread here again.
    const uint32_t epoch = load(local.header.epoch);
    // Somebody has published something, or the heap has grown.
    const bool rung = task.epoch != heap::Task::kNoEpoch;
    task.epoch = epoch;
    const bool known = task.slot != control::kNoSlot || task.exited || task.slotless;
    if (!known) adopt_thread();
    if (rung && !task.exited && call == Call::kAllocates) start_helper();
    const bool helped = helper_runs();
    // The writer may have died between ringing and waking.
    if (rung && helped) sys::futex_wake(&local.header.epoch, 1);
    heap::sync_task(!helped);
    // The thread's own policy may be the first that binds anything, after the helper has looked.
    if (helped && cpuset_watch_is_due()) call_helper();
    if (task.cache_due) {
        task.come_again(epoch);
    } else {
        task.act_on(epoch);
    }
    task.in_slow_path = false;
    return was_due;  // Else a thread that is rewritten between any two calls would never do it.
}

void settle_cache() {
    heap::Task& task = heap::this_task;
    const sys::ErrnoGuard guard;
    task.in_slow_path = true;
    if (heap::settle_cache()) task.act_on(task.due_epoch);
    task.in_slow_path = false;
}

}  // namespace mpol::preload

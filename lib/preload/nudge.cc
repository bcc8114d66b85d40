// SPDX-License-Identifier: Apache-2.0
// Opt-in (MPOL_SIGNAL=NUMBER): a thread that is blocked, or computes without allocating, gets its
// kernel task policy by a signal, because only a system call made by that thread can set it. The
// signal must be one that the program leaves alone; SA_RESTART hides it from most blocking calls,
// but poll, epoll_wait, nanosleep and their kin return EINTR (signal(7)).
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>

#include "control/segment.h"
#include "heap/task.h"
#include "preload/process.h"
#include "sys/sys.h"

namespace mpol::preload {

using control::generation;
using control::kHasPolicy;
using control::load;
using control::local;

namespace {

constinit std::atomic<int> nudge_signal{0};

void on_nudge(int) {
    const sys::ErrnoGuard guard;
    heap::sync_task_policy();
}

bool behind(const mpol_ctl_slot& row, uint64_t process_generation) {
    const uint64_t word = load(row.word);
    if ((word & control::kState) != control::kLive) return false;
    if ((word & kHasPolicy) != 0) return load(row.task_applied) != generation(word);
    return load(row.process_seen) != process_generation;
}

}  // namespace

void set_up_nudge() {
    const char* const text = secure_getenv("MPOL_SIGNAL");
    if (text == nullptr) return;
    const int signal = std::atoi(text);
    struct sigaction action {};
    if (signal < 1 || signal > SIGRTMAX || ::sigaction(signal, nullptr, &action) != 0 ||
        action.sa_handler != SIG_DFL) {
        control::record_error(MPOL_CTL_ERROR_SIGNAL, 0, static_cast<uint64_t>(signal));
        return;
    }
    action = {};
    action.sa_handler = on_nudge;
    action.sa_flags = SA_RESTART | SA_ONSTACK;
    ::sigaction(signal, &action, nullptr);
    nudge_signal.store(signal, std::memory_order_release);
}

void nudge_threads() {
    const int signal = nudge_signal.load(std::memory_order_acquire);
    if (signal == 0) return;
    const uint64_t process_generation = generation(load(local.header.process_word));
    const pid_t pid = sys::process_id();
    const unsigned used = std::min(load(local.header.slots_used), MPOL_CTL_SLOTS);
    for (unsigned slot = 0; slot < used; ++slot) {
        const mpol_ctl_slot& row = local.slots[slot];
        // tgkill checks that the thread is this process's, whatever the segment says.
        if (behind(row, process_generation)) {
            sys::send_signal(pid, static_cast<pid_t>(load(row.tid)), signal);
        }
    }
}

}  // namespace mpol::preload

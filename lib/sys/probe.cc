// SPDX-License-Identifier: Apache-2.0
// Under a seccomp filter a memory policy call may be answered with EPERM (containers), or kill
// (systemd's SystemCallFilter=~@resources). A child that shares the memory and nothing else makes
// the calls first: it is the one to die.
#include <linux/mempolicy.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "sys/sys.h"

namespace mpol::sys {
namespace {

enum class Verdict : uint8_t { kUnknown, kAnswered, kDeadly };
constinit std::atomic<Verdict> verdict{Verdict::kUnknown};

constexpr long kSetMempolicyHomeNode = 450;      // The same on every architecture.
constexpr size_t kStackBytes = size_t{4} << 10;  // Of a thread that may have little itself.

// Runs on the parent's memory while the parent's thread waits: only its own stack is written, and
// errno, which the parent restores. The setting calls change the child's own policy, or nothing.
int make_each_call(void*) {
    int mode = 0;
    ::syscall(SYS_get_mempolicy, &mode, nullptr, 0UL, nullptr, 0UL);
    ::syscall(SYS_set_mempolicy, MPOL_DEFAULT, nullptr, 0UL);
    ::syscall(SYS_mbind, 0UL, 0UL, static_cast<unsigned long>(MPOL_DEFAULT), nullptr, 0UL, 0U);
    ::syscall(kSetMempolicyHomeNode, 0UL, 0UL, 0UL, 0UL);
    ::syscall(SYS_move_pages, 0, 0UL, nullptr, nullptr, nullptr, 0);
    ::syscall(SYS_exit, 0);
    return 0;
}

Verdict probe() {
    alignas(16) char stack[kStackBytes];
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    // A blocked SIGSYS kills instead of running a handler of the program's in the child.
    pthread_sigmask(SIG_SETMASK, &all, &before);
    // No exit signal: the program's own wait calls don't see the child.
    const pid_t child =
        ::clone(make_each_call, stack + kStackBytes, CLONE_VM | CLONE_VFORK, nullptr);
    Verdict found = Verdict::kUnknown;  // No child to be had: ask again next time.
    if (child > 0) {
        int status = 0;
        while (::waitpid(child, &status, __WCLONE) < 0 && errno == EINTR) {
        }
        found = WIFEXITED(status) ? Verdict::kAnswered : Verdict::kDeadly;
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return found;
}

}  // namespace

bool policy_calls_are_deadly() {
    if (seccomp_mode() <= 0) return false;
    Verdict known = verdict.load(std::memory_order_acquire);
    if (known == Verdict::kUnknown) {
        const ErrnoGuard guard;
        known = probe();
        verdict.store(known, std::memory_order_release);
    }
    return known != Verdict::kAnswered;
}

}  // namespace mpol::sys

// SPDX-License-Identifier: Apache-2.0
#include "sys/signals.h"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

#include "sys/sys.h"

namespace mpol::sys {
namespace {

constexpr size_t kMaskBytes = sizeof(uint64_t);  // The kernel's sigset_t.
constexpr uint64_t bit_of(int signal) {
    return uint64_t{1} << (signal - 1);
}
// Held back, a fault would end the process; and the C library waits for its own two (32 and 33).
constexpr uint64_t kNeverHeld = bit_of(SIGSEGV) | bit_of(SIGBUS) | bit_of(SIGFPE) | bit_of(SIGILL) |
                                bit_of(SIGTRAP) | bit_of(SIGSYS) | bit_of(32) | bit_of(33);

thread_local constinit const HeldSignals* held
    __attribute__((tls_model("initial-exec"), visibility("hidden"))) = nullptr;

}  // namespace

HeldSignals::HeldSignals() {
    const ErrnoGuard guard;
    const uint64_t mask = ~kNeverHeld;
    ::syscall(SYS_rt_sigprocmask, SIG_BLOCK, &mask, &before_, kMaskBytes);
    held = this;
}

HeldSignals::~HeldSignals() {
    const ErrnoGuard guard;
    held = nullptr;
    ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before_, nullptr, kMaskBytes);
}

bool HeldSignals::let_through() const {
    const ErrnoGuard guard;
    timespec at_once{};
    // EINTR after a handler only: a signal that is ignored, or stops and continues, restarts it.
    return ::syscall(SYS_ppoll, nullptr, 0, &at_once, &before_, kMaskBytes) < 0 && errno == EINTR;
}

int futex_wait_interruptibly(const uint32_t* word, uint32_t expected) {
    const int err = futex_wait(word, expected, kSignalLookNs);
    if (held != nullptr && held->let_through()) return -EINTR;
    return err == -EAGAIN ? err : 0;
}

}  // namespace mpol::sys

// SPDX-License-Identifier: Apache-2.0
// A wait that a signal handler ends, with no instant in which a signal is missed. One that comes
// between the decision to sleep and the futex's sleep would run its handler and be forgotten:
// futex(2) has no form that changes the signal mask as ppoll(2) does. So signals are held back
// while the thread waits, and let through by a ppoll that doesn't wait: at every wake-up, and every
// kSignalLookNs.
//
// Never allocates; errno is preserved.
#pragma once

#include <cstdint>

namespace mpol::sys {

// How long a signal may lie there before its handler ends the wait. The wake-up that is waited for
// comes at once. Tests that look for lost wake-ups take this net away.
#ifdef MPOL_WAITS_WITHOUT_NET
inline constexpr int64_t kSignalLookNs = 3'600'000'000'000;
#else
inline constexpr int64_t kSignalLookNs = 2'000'000;
#endif

// For the length of a block the calling thread's signals are held back: all but those that it sends
// itself by what it does (a fault), and the C library's own. Not nested.
class HeldSignals {
  public:
    HeldSignals();
    ~HeldSignals();  // Those that came run their handlers here.
    HeldSignals(const HeldSignals&) = delete;
    HeldSignals& operator=(const HeldSignals&) = delete;

    // Lets through those that came. True when a handler has run.
    [[nodiscard]] bool let_through() const;

  private:
    uint64_t before_ = 0;
};

// futex_wait without a timeout: 0, -EAGAIN; or -EINTR when a handler has run in this thread since
// its signals were held back. Callers look at the word again, whatever ended the wait.
int futex_wait_interruptibly(const uint32_t* word, uint32_t expected);

}  // namespace mpol::sys

// SPDX-License-Identifier: Apache-2.0
// A mutex of one word, constant-initialised, that a forked child may unlock for its parent's
// thread. Drepper, "Futexes Are Tricky", mutex 2. Never allocates; errno is preserved. Not
// recursive, not async-signal-safe.
//
// Sequentially consistent, because a lock that was refused may be answered by a flag that the
// holder looks at after unlocking (heap/futex_gate.h).
#pragma once

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>

#include "sys/signals.h"
#include "sys/sys.h"

namespace mpol::sys {

class Mutex {
  public:
    constexpr Mutex() = default;

    [[nodiscard]] bool try_lock() {
        uint32_t expected = kFree;
        return state_.compare_exchange_strong(expected, kHeld);
    }

    void lock() {
        if (try_lock()) return;
        while (state_.exchange(kContended) != kFree) {
            futex_wait(reinterpret_cast<const uint32_t*>(&state_), kContended, kLookAgainNs);
        }
    }

    // False: somebody else had it all the time.
    [[nodiscard]] bool lock_for(int64_t timeout_ns) {
        if (try_lock()) return true;
        const uint64_t begin = monotonic_ns();
        while (state_.exchange(kContended) != kFree) {
            const int64_t left_ns = timeout_ns - static_cast<int64_t>(monotonic_ns() - begin);
            if (left_ns <= 0) return false;
            futex_wait(reinterpret_cast<const uint32_t*>(&state_), kContended,
                       std::min(left_ns, kLookAgainNs));
        }
        return true;
    }

    // 0; or -EINTR, not locked, after a signal handler has run in this thread while it waited. Its
    // signals are held back (signals.h), or none ends the wait.
    [[nodiscard]] int lock_interruptibly() {
        if (try_lock()) return 0;
        while (state_.exchange(kContended) != kFree) {
            if (futex_wait_interruptibly(reinterpret_cast<const uint32_t*>(&state_), kContended) ==
                -EINTR) {
                return -EINTR;
            }
        }
        return 0;
    }

    // In a copy of the process whose holder does not exist: free again.
    void renew() { state_.store(kFree, std::memory_order_relaxed); }

    void unlock() {
        if (state_.exchange(kFree) == kContended) {
            futex_wake(reinterpret_cast<const uint32_t*>(&state_), 1);
        }
    }

  private:
    // A wake-up that the kernel refuses (a seccomp filter) must not stop the program for good.
    // Nobody holds a mutex for so long otherwise.
    static constexpr int64_t kLookAgainNs = 20'000'000;

    static constexpr uint32_t kFree = 0;
    static constexpr uint32_t kHeld = 1;
    static constexpr uint32_t kContended = 2;
    std::atomic<uint32_t> state_{kFree};
};

template <class Lockable>
class Locked {
  public:
    explicit Locked(Lockable& mutex) : mutex_(mutex) { mutex_.lock(); }
    ~Locked() { mutex_.unlock(); }
    Locked(const Locked&) = delete;
    Locked& operator=(const Locked&) = delete;

  private:
    Lockable& mutex_;
};

}  // namespace mpol::sys

// SPDX-License-Identifier: Apache-2.0
// A mutex of one word, constant-initialised, that a forked child may unlock for its parent's
// thread. Drepper, "Futexes Are Tricky", mutex 2. Never allocates; errno is preserved. Not
// recursive, not async-signal-safe.
#pragma once

#include <atomic>
#include <cstdint>

#include "sys/sys.h"

namespace mpol::sys {

class Mutex {
  public:
    constexpr Mutex() = default;

    [[nodiscard]] bool try_lock() {
        uint32_t expected = kFree;
        return state_.compare_exchange_strong(expected, kHeld, std::memory_order_acquire);
    }

    void lock() {
        if (try_lock()) return;
        while (state_.exchange(kContended, std::memory_order_acquire) != kFree) {
            futex_wait(reinterpret_cast<const uint32_t*>(&state_), kContended, -1);
        }
    }

    // In a copy of the process whose holder does not exist: free again.
    void renew() { state_.store(kFree, std::memory_order_relaxed); }

    void unlock() {
        if (state_.exchange(kFree, std::memory_order_release) == kContended) {
            futex_wake(reinterpret_cast<const uint32_t*>(&state_), 1);
        }
    }

  private:
    static constexpr uint32_t kFree = 0;
    static constexpr uint32_t kHeld = 1;
    static constexpr uint32_t kContended = 2;
    std::atomic<uint32_t> state_{kFree};
};

class Locked {
  public:
    explicit Locked(Mutex& mutex) : mutex_(mutex) { mutex_.lock(); }
    ~Locked() { mutex_.unlock(); }
    Locked(const Locked&) = delete;
    Locked& operator=(const Locked&) = delete;

  private:
    Mutex& mutex_;
};

}  // namespace mpol::sys

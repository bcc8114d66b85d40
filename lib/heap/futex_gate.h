// SPDX-License-Identifier: Apache-2.0
// The gate over the kernel's futex, and the mutex that whoever applies policies holds.
#pragma once

#include <atomic>
#include <cstdint>

#include "heap/gate.h"
#include "sys/mutex.h"
#include "sys/sys.h"

namespace mpol::heap {

// Those who wait at a gate try again, so this is a net under them; tests take it away, for a lost
// wake-up to be seen.
#ifdef MPOL_WAITS_WITHOUT_NET
inline constexpr int64_t kNetNs = 3'600'000'000'000;
#else
inline constexpr int64_t kNetNs = 1'000'000'000;
#endif

struct FutexMemory {
    using Cell = std::atomic<uint32_t>;
    static uint32_t load(const Cell& cell) { return cell.load(); }
    static bool cas(Cell& cell, uint32_t& expected, uint32_t desired) {
        return cell.compare_exchange_weak(expected, desired);
    }
    static uint32_t add(Cell& cell, uint32_t value) { return cell.fetch_add(value); }
    static uint32_t fetch_or(Cell& cell, uint32_t bits) { return cell.fetch_or(bits); }
    static uint32_t fetch_and(Cell& cell, uint32_t bits) { return cell.fetch_and(bits); }
    static int wait(const Cell& cell, uint32_t expected) {
        return sys::futex_wait(reinterpret_cast<const uint32_t*>(&cell), expected, kNetNs);
    }
    static int wait_interruptibly(const Cell& cell, uint32_t expected) {
        return sys::futex_wait_interruptibly(reinterpret_cast<const uint32_t*>(&cell), expected);
    }
    static void wake_all(const Cell& cell) {
        sys::futex_wake(reinterpret_cast<const uint32_t*>(&cell), INT32_MAX);
    }
};

using Gate = BasicGate<FutexMemory>;

// A mutex that a would-be holder may leave its errand with instead of waiting: whoever unlocks it
// then rings the segment's doorbell, so that somebody does it.
class ApplyMutex : public sys::Mutex {
  public:
    // False: the holder will ring. Pairs with unlock: the second try fails only before it.
    [[nodiscard]] bool try_lock_or_pass_on() {
        if (try_lock()) return true;
        passed_on_.store(true);
        return try_lock();
    }

    void unlock() {
        Mutex::unlock();
        if (passed_on_.load() && passed_on_.exchange(false)) ring_doorbell();
    }

    // For one who was refused at a gate that is opened before this mutex is unlocked.
    void pass_on() { passed_on_.store(true); }

  private:
    static void ring_doorbell();

    std::atomic<bool> passed_on_{false};
};

}  // namespace mpol::heap

// SPDX-License-Identifier: Apache-2.0
// Work for another thread of a subject, which is there already when all locks are held: to begin an
// errand and to look whether it is done allocates nothing.
#pragma once

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>

#include <cstdint>
#include <thread>

#include "sys/sys.h"

namespace mpol::test {

// Long enough for anything that does not wait to be done on a loaded machine, mostly: whoever is
// held off in truth is never done, so a short time can only hide a fault, not feign one.
inline constexpr int kHeldOffMs = 200;
inline constexpr int kSoonMs = 30'000;

// Set once; waiting for it sleeps, and allocates nothing.
class Latch {
  public:
    void set() {
        __atomic_store_n(&word_, 1, __ATOMIC_RELEASE);
        sys::futex_wake(&word_, INT32_MAX);
    }
    void wait() const { (void)wait_ns(-1); }
    // False: not within that time. ns < 0: without end.
    [[nodiscard]] bool wait_ns(int64_t ns) const {
        const uint64_t begin = sys::monotonic_ns();
        while (__atomic_load_n(&word_, __ATOMIC_ACQUIRE) == 0) {
            const int64_t left = ns - static_cast<int64_t>(sys::monotonic_ns() - begin);
            if (ns >= 0 && left <= 0) return false;
            (void)sys::futex_wait(&word_, 0, ns < 0 ? -1 : left);
        }
        return true;
    }

  private:
    uint32_t word_ = 0;
};

class Errand {
  public:
    template <class Work>
    explicit Errand(Work work)
        : thread_([this, work] {
              there_.set();
              begun_.wait();
              work();
              done_.set();
              dismissed_.wait();
          }) {
        there_.wait();
    }
    ~Errand() {
        begin();
        dismiss();
        if (thread_.joinable()) thread_.join();
    }
    Errand(const Errand&) = delete;
    Errand& operator=(const Errand&) = delete;

    void begin() { begun_.set(); }
    // The thread exits, which is an operation itself.
    void dismiss() { dismissed_.set(); }
    [[nodiscard]] bool done_within(int ms) const { return done_.wait_ns(int64_t{ms} * 1'000'000); }
    [[nodiscard]] bool held_off() const { return !done_within(kHeldOffMs); }
    [[nodiscard]] bool done_soon() const { return done_within(kSoonMs); }
    void interrupt() { ::pthread_kill(thread_.native_handle(), SIGUSR1); }

  private:
    Latch there_;
    Latch begun_;
    Latch done_;
    Latch dismissed_;
    std::thread thread_;
};

// Handlers that the kernel would hide from most system calls.
inline void catch_signal() {
    struct sigaction action {};
    action.sa_handler = [](int) {};
    action.sa_flags = SA_RESTART;
    ::sigaction(SIGUSR1, &action, nullptr);
}

// jemalloc's functions that the preloaded library exports.
inline int preloaded_mallctl(const char* name, void* old, size_t* old_size, void* value,
                             size_t size) {
    using Mallctl = int(const char*, void*, size_t*, void*, size_t);
    return reinterpret_cast<Mallctl*>(dlsym(RTLD_DEFAULT, "mallctl"))(name, old, old_size, value,
                                                                      size);
}
inline void* preloaded_mallocx(size_t size, int flags) {
    using Mallocx = void*(size_t, int);
    return reinterpret_cast<Mallocx*>(dlsym(RTLD_DEFAULT, "mallocx"))(size, flags);
}

// Memory that the heap can't have without growing: never given back.
inline constexpr size_t kGrowthBytes = size_t{64} << 20;

}  // namespace mpol::test

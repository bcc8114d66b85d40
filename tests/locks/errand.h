// SPDX-License-Identifier: Apache-2.0
// Work for another thread of a subject, which is there already when all locks are held: to begin an
// errand and to look whether it is done allocates nothing.
#pragma once

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <thread>

namespace mpol::test {

// Long enough for anything that does not wait to be done on a loaded machine, mostly: whoever is
// held off in truth is never done, so a short time can only hide a fault, not feign one.
inline constexpr int kHeldOffMs = 200;
inline constexpr int kSoonMs = 30'000;

class Errand {
  public:
    template <class Work>
    explicit Errand(Work work)
        : thread_([this, work] {
              there_ = true;
              while (!begun_.load()) ::usleep(1000);
              work();
              done_ = true;
              while (!dismissed_.load()) ::usleep(1000);
          }) {
        while (!there_.load()) ::usleep(1000);
    }
    ~Errand() {
        begin();
        dismiss();
        if (thread_.joinable()) thread_.join();
    }
    Errand(const Errand&) = delete;
    Errand& operator=(const Errand&) = delete;

    void begin() { begun_ = true; }
    // The thread exits, which is an operation itself.
    void dismiss() { dismissed_ = true; }
    [[nodiscard]] bool done_within(int ms) const {
        for (int i = 0; i < ms && !done_.load(); ++i) ::usleep(1000);
        return done_.load();
    }
    [[nodiscard]] bool held_off() const { return !done_within(kHeldOffMs); }
    [[nodiscard]] bool done_soon() const { return done_within(kSoonMs); }
    void interrupt() { ::pthread_kill(thread_.native_handle(), SIGUSR1); }

  private:
    std::atomic<bool> there_{false};
    std::atomic<bool> begun_{false};
    std::atomic<bool> done_{false};
    std::atomic<bool> dismissed_{false};
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

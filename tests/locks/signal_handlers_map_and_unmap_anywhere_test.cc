// SPDX-License-Identifier: Apache-2.0
// A signal handler that maps, moves and unmaps, wherever it interrupts its thread: in the same
// calls, in the allocator, and in the application of what is published; while everything is
// rewritten. (Under ThreadSanitizer, which holds signals back, only where a call of the C library
// begins or ends.)
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/syscall.h>

#include <algorithm>
#include <atomic>
#include <cinttypes>
#include <iterator>
#include <thread>

#include "errand.h"
#include "heap/apply.h"
#include "linked.h"

namespace mpol::test {
namespace {

constexpr uint64_t kSignalsMax = 1'000'000;
constexpr int kMapMoveUnmap = 3;  // what a round does, in turn with the allocator and the helper

uint64_t signals_wanted() {
    const char* const text = std::getenv("MPOL_PLACING_SIGNALS");
    return text != nullptr ? std::strtoull(text, nullptr, 10) : 3'000;
}

std::atomic<uint64_t> handled{0};
std::atomic<uint64_t> in_call[kMapMoveUnmap + 2];
std::atomic<unsigned> current_call{0};
std::atomic<uint64_t> failed{0};

void map_move_unmap(size_t pages) {
    void* const mapped = map_pages(pages);
    current_call.store(1, std::memory_order_relaxed);
    void* const moved = ::mremap(mapped, pages * kPage, 2 * pages * kPage, MREMAP_MAYMOVE);
    current_call.store(2, std::memory_order_relaxed);
    // The middle first, then what is left on either side.
    const int cut = ::munmap(static_cast<char*>(moved) + pages * kPage, kPage);
    const int rest = ::munmap(moved, 2 * pages * kPage);
    if (mapped == MAP_FAILED || moved == MAP_FAILED || cut != 0 || rest != 0) failed.fetch_add(1);
}

void map_in_handler(int) {
    const unsigned interrupted = current_call.load(std::memory_order_relaxed);
    in_call[interrupted].fetch_add(1, std::memory_order_relaxed);
    map_move_unmap(2);
    current_call.store(interrupted, std::memory_order_relaxed);
    handled.fetch_add(1, std::memory_order_release);
}

// The thread that is interrupted.
struct Interrupted {
    std::atomic<bool> stop{false};
    pid_t tid = 0;
    Latch there;
    Latch begun;
    std::thread thread{[this] { run(); }};

    Interrupted() { there.wait(); }
    ~Interrupted() {
        stop = true;
        begun.set();
        thread.join();
    }

    void run() {
        release(allocate(1));
        tid = static_cast<pid_t>(::syscall(SYS_gettid));
        there.set();
        begun.wait();
        for (size_t i = 0; !stop; ++i) {
            current_call.store(0, std::memory_order_relaxed);
            map_move_unmap(1 + i % 4);
            current_call.store(kMapMoveUnmap, std::memory_order_relaxed);
            release(allocate(size_t{1} << (i % 20)));
            current_call.store(kMapMoveUnmap + 1, std::memory_order_relaxed);
            heap::apply_pending();
        }
    }
};

bool came_everywhere() {
    return std::all_of(std::begin(in_call), std::end(in_call),
                       [](const auto& count) { return count.load() > 0; });
}

// False: the handler was not through in time.
bool interrupt(Interrupted& interrupted) {
    const uint64_t before = handled.load(std::memory_order_acquire);
    const uint64_t begin = sys::monotonic_ns();
    ::pthread_kill(interrupted.thread.native_handle(), SIGUSR2);
    while (handled.load(std::memory_order_acquire) == before) {
        if (sys::monotonic_ns() - begin > uint64_t{kTimeoutMs} * 1'000'000) return false;
        sys::yield();
    }
    return true;
}

}  // namespace

TEST(SignalHandlers, MapAndUnmapAnywhere) {
    struct sigaction action {};
    action.sa_handler = map_in_handler;
    action.sa_flags = SA_RESTART;
    ::sigaction(SIGUSR2, &action, nullptr);
    Self self;
    uint64_t rewrites = 0;
    {
        Interrupted interrupted;
        self.publish(interrupted.tid, kPolicies[0]);
        self.rewrite(kPolicies[1]);
        interrupted.begun.set();
        std::atomic<bool> stop{false};
        std::thread writer([&] {
            for (; !stop; ++rewrites) {
                self.publish(interrupted.tid, kPolicies[rewrites % kPolicyCount]);
                self.rewrite(kPolicies[rewrites / 2 % kPolicyCount]);
            }
        });
        for (uint64_t i = 0; i < signals_wanted() || (i < kSignalsMax && !came_everywhere()); ++i) {
            if (interrupt(interrupted)) continue;
            std::printf("the handler never came back from signal %" PRIu64 "\n", i);
            std::abort();  // Nor would the thread.
        }
        stop = true;
        writer.join();
    }
    self.rewrite(std::nullopt);
    EXPECT_EQ(failed.load(), 0U);
    expect_an_empty_table();
    std::printf("%" PRIu64 " signals in mmap %" PRIu64 ", mremap %" PRIu64 ", munmap %" PRIu64
                ", the allocator %" PRIu64 ", application %" PRIu64 "; %" PRIu64 " rewrites\n",
                handled.load(), in_call[0].load(), in_call[1].load(), in_call[2].load(),
                in_call[3].load(), in_call[4].load(), rewrites);
    EXPECT_TRUE(came_everywhere());
}

}  // namespace mpol::test

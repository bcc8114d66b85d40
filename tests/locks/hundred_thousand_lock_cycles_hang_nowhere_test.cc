// SPDX-License-Identifier: Apache-2.0
// The preloaded library's own sources, linked into this program so that a sanitizer sees them: all
// locks taken and dropped again and again, against threads that allocate from jemalloc with no
// cache of dirty pages (so that every allocation grows or purges), threads that come and go, a
// thread whose mappings are bound as those of the mmap kind, signal handlers that do the same
// wherever they interrupt a thread, and two processes that rewrite the policies of all of them.
//
// While all is held, a plain variable is written that every region operation reads: ThreadSanitizer
// would call it a race if one of them was not held off.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "control/segment.h"
#include "heap/apply.h"
#include "heap/je.h"
#include "heap/kinds.h"
#include "linked.h"
#include "mpol/notifier.h"
#include "preload/process.h"

extern char** environ;

// mmap stays the sanitizer's.
void mpol::preload::resolve_mmap() {}

namespace mpol::test {
namespace {

constexpr unsigned kThreads = 8;
constexpr unsigned kRewriters = 2;
constexpr int kWaitSeconds = 30;
// Threads that never sleep would be preempted inside gates for most of the time on a machine of two
// cores, and a cycle would last as long as the scheduler's slices.
constexpr unsigned kRoundsAtOnce = 8;
constexpr useconds_t kPauseUs = 100;

uint64_t cycles_wanted() {
    const char* const text = std::getenv("MPOL_LOCK_CYCLES");
    return text != nullptr ? std::strtoull(text, nullptr, 10) : 100'000;
}

std::atomic<bool> stop{false};
std::atomic<int> in_progress{0};
std::atomic<uint64_t> operations{0};
uint64_t written_while_held = 0;
std::atomic<uint64_t> read_in_operations{0};

void on_start(void*, mpol_event, void*, size_t) {
    in_progress.fetch_add(1);
    read_in_operations.store(written_while_held, std::memory_order_relaxed);
}
void on_end(void*, mpol_event, void*, size_t) {
    operations.fetch_add(1, std::memory_order_relaxed);
    in_progress.fetch_sub(1);
}

std::atomic<uint64_t> rounds[kThreads];

void allocate_and_free(unsigned thread) {
    void* kept[8] = {};
    for (unsigned i = 0; !stop.load(std::memory_order_relaxed); ++i) {
        release(kept[i % 8]);
        const size_t size = size_t{16'384} << (i % 5);
        kept[i % 8] = allocate(size);
        static_cast<volatile char*>(kept[i % 8])[size / 2] = 1;
        rounds[thread].fetch_add(1, std::memory_order_relaxed);
        if (i % kRoundsAtOnce == 0) ::usleep(kPauseUs);
    }
    for (void* memory : kept) release(memory);
}

std::atomic<uint64_t> threads_started{0};

void start_and_join() {
    while (!stop.load(std::memory_order_relaxed)) {
        std::thread([] { release(allocate(100)); }).join();
        threads_started.fetch_add(1, std::memory_order_relaxed);
    }
}

// What the exported mmap does while the kind has a policy.
constexpr size_t kMappedBytes = size_t{64} << 10;
void* mapped_for_handlers = nullptr;
std::atomic<uint64_t> bound_in_handlers{0};

void* map() {
    return ::mmap(nullptr, kMappedBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                  0);
}

void bind_in_handler(int) {
    heap::bind_mapping(mapped_for_handlers, kMappedBytes);
    bound_in_handlers.fetch_add(1, std::memory_order_relaxed);
}

std::atomic<uint64_t> mappings_bound{0};

void map_and_bind() {
    while (!stop.load(std::memory_order_relaxed)) {
        void* const mapping = map();
        heap::bind_mapping(mapping, kMappedBytes);
        ::munmap(mapping, kMappedBytes);
        mappings_bound.fetch_add(1, std::memory_order_relaxed);
        ::usleep(kPauseUs);
    }
}

void interrupt(std::vector<std::thread>& threads, pthread_t taker) {
    for (size_t i = 0; !stop.load(std::memory_order_relaxed); ++i) {
        const size_t who = i % (threads.size() + 1);
        ::pthread_kill(who < threads.size() ? threads[who].native_handle() : taker, SIGUSR1);
        ::usleep(kPauseUs);
    }
}

void set_decay(const char* name) {
    ssize_t at_once = 0;
    je_mallctl(name, nullptr, nullptr, &at_once, sizeof(at_once));
}

// Freed pages go back at once, in arenas made already and in those to come.
void keep_no_dirty_pages() {
    set_decay("arenas.dirty_decay_ms");
    for (unsigned arena = 0; arena < 64; ++arena) {
        set_decay(("arena." + std::to_string(arena) + ".dirty_decay_ms").c_str());
    }
}

struct Rewriter {
    pid_t pid = -1;
    int to = -1;
    int from = -1;

    Rewriter() {
        int in[2];
        int out[2];
        if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0) std::abort();
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
        posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
        std::string target = std::to_string(::getpid());
        std::string program = MPOL_LOCK_REWRITER;
        char* const argv[] = {program.data(), target.data(), nullptr};
        EXPECT_EQ(::posix_spawn(&pid, argv[0], &actions, nullptr, argv, environ), 0);
        posix_spawn_file_actions_destroy(&actions);
        ::close(in[0]);
        ::close(out[1]);
        to = in[1];
        from = out[0];
    }

    uint64_t finish() {
        ::close(to);
        char text[32] = {};
        const ssize_t got = ::read(from, text, sizeof(text) - 1);
        ::close(from);
        int status = -1;
        ::waitpid(pid, &status, 0);
        EXPECT_EQ(status, 0);
        return got > 0 ? std::strtoull(text, nullptr, 10) : 0;
    }
};

// Whatever was published while everything was held is applied in the end: no wake-up was lost.
bool everything_gets_applied() {
    for (int i = 0; i < kWaitSeconds * 100; ++i) {
        const uint64_t asked =
            control::generation(control::SharedMemory::load(control::local.header.process_word));
        if (control::load(control::local.header.process_applied) == asked) return true;
        ::usleep(10'000);
    }
    return false;
}

TEST(LockCycles, HangNowhereAndHoldEveryOperationOff) {
    const uint64_t cycles = cycles_wanted();
    keep_no_dirty_pages();
    const mpol_notifier_ops ops{on_start, on_end};
    ASSERT_EQ(mpol_notifier_register(&ops, nullptr), 0);
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < kThreads; ++i) threads.emplace_back(allocate_and_free, i);
    threads.emplace_back(start_and_join);
    threads.emplace_back(map_and_bind);
    mapped_for_handlers = map();
    struct sigaction action {};
    action.sa_handler = bind_in_handler;
    action.sa_flags = SA_RESTART;
    ::sigaction(SIGUSR1, &action, nullptr);
    std::thread interrupter([&, taker = ::pthread_self()] { interrupt(threads, taker); });
    Rewriter rewriters[kRewriters];

    uint64_t in_progress_while_held = 0;
    for (uint64_t cycle = 1; cycle <= cycles; ++cycle) {
        while (mpol_take_all_locks() == -EINTR) {
        }
        written_while_held = cycle;
        if (in_progress.load() != 0) ++in_progress_while_held;
        if (mpol_drop_all_locks() != 0) ADD_FAILURE();
        // No cycle against threads that all sleep.
        while (operations.load(std::memory_order_relaxed) < cycle) std::this_thread::yield();
    }
    uint64_t rewrites = 0;
    for (Rewriter& rewriter : rewriters) rewrites += rewriter.finish();
    EXPECT_TRUE(everything_gets_applied());
    stop = true;
    interrupter.join();
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(mpol_notifier_unregister(&ops, nullptr), 0);

    EXPECT_EQ(in_progress_while_held, 0U);
    EXPECT_EQ(in_progress.load(), 0);
    EXPECT_GT(rewrites, 0U);
    EXPECT_GT(threads_started.load(), 0U);
    EXPECT_GT(mappings_bound.load(), 0U);
    EXPECT_GT(bound_in_handlers.load(), 0U);
    uint64_t least = ~uint64_t{0};
    for (const auto& count : rounds) least = std::min(least, count.load());
    EXPECT_GT(least, 0U);
    std::printf(
        "%llu cycles, %llu operations, %llu rewrites, %llu threads started, least rounds of "
        "a thread %llu, %llu mappings bound, %llu by signal handlers\n",
        static_cast<unsigned long long>(cycles), static_cast<unsigned long long>(operations.load()),
        static_cast<unsigned long long>(rewrites),
        static_cast<unsigned long long>(threads_started.load()),
        static_cast<unsigned long long>(least),
        static_cast<unsigned long long>(mappings_bound.load()),
        static_cast<unsigned long long>(bound_in_handlers.load()));
}

}  // namespace
}  // namespace mpol::test

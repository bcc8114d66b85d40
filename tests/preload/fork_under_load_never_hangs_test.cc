// SPDX-License-Identifier: Apache-2.0
// Threads in malloc, threads in stdio and an outside writer, while the process forks as fast as it
// can. A child that inherits a lock from a thread that it doesn't have would hang: its alarm kills
// it, and the parent reports the signal.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "subject.h"

namespace mpol::test {
namespace {

constexpr int kForks = 1000;
constexpr int kForksPerWord = 100;  // A busy machine is slow, and no hang.
constexpr unsigned kChildSeconds = 30;
constexpr unsigned kParentSeconds = 120;
std::atomic<bool> stop{false};

void allocate_and_free() {
    void* kept[64] = {};
    for (unsigned i = 0; !stop.load(std::memory_order_relaxed); ++i) {
        std::free(kept[i % 64]);
        kept[i % 64] = std::malloc(16 + i * 7919 % 40'000);
    }
    for (void* memory : kept) std::free(memory);
}

// A line that makes getline allocate more than any thread's cache holds, step by step.
constexpr size_t kLineBytes = size_t{1} << 20;
std::string long_line_path;

void make_long_line() {
    const int fd = ::memfd_create("line", 0);
    const std::string line = std::string(kLineBytes, 'a') + '\n';
    if (::write(fd, line.data(), line.size()) < 0) ::_exit(1);
    long_line_path = "/proc/self/fd/" + std::to_string(fd);
}

// Holds a stream's lock while it allocates.
void read_lines() {
    while (!stop.load(std::memory_order_relaxed)) {
        FILE* const file = std::fopen(long_line_path.c_str(), "r");
        char* line = nullptr;
        size_t size = 0;
        while (file != nullptr && ::getline(&line, &size, file) > 0) {
        }
        std::free(line);
        if (file != nullptr) std::fclose(file);
    }
}

// Holds the list of all streams while it takes each one's lock.
void flush_all() {
    while (!stop.load(std::memory_order_relaxed)) std::fflush(nullptr);
}

void child_allocates() {
    for (size_t size = 1; size < 300'000; size *= 4) std::free(std::malloc(size));
}

void child_uses_stdio() {
    std::fflush(nullptr);
    FILE* const file = std::fopen("/dev/null", "w");
    std::fprintf(file, "%d", 1);
    std::fclose(file);
}

// Says from time to time how many children have ended well, and how the first other one did.
void fork_many(int forks, void (*in_child)()) {
    for (int good = 1; good <= forks; ++good) {
        const pid_t child = ::fork();
        if (child == 0) {
            ::alarm(kChildSeconds);
            in_child();
            ::_exit(0);
        }
        int status = -1;
        while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
        }
        if (status != 0) return say("bad %d", status);
        if (good % kForksPerWord != 0) continue;
        ::alarm(kParentSeconds);
        say("good %d", good);
    }
}

// Throws where it hears of another end, or of nothing.
void expect_forks(Subject& subject, int forks) {
    for (int good = kForksPerWord; good <= forks; good += kForksPerWord) {
        EXPECT_EQ(subject.hear_number("good"), static_cast<uint64_t>(good));
    }
}

void start(void (*routine)()) {
    std::thread(routine).detach();
}

}  // namespace

SUBJECT(fork_against_malloc) {
    ::alarm(kParentSeconds);
    for (int i = 0; i < 3; ++i) start(allocate_and_free);
    say("ready");
    fork_many(kForks, child_allocates);
    await_command();
    ::_exit(0);
}

TEST(Fork, NeverHangsWhileOthersAllocateAndPoliciesAreRewritten) {
    Subject subject("fork_against_malloc");
    subject.hear("ready");
    std::atomic<bool> done{false};
    std::thread writer([&] {
        control::Target target = subject.attach();
        const Policy policies[] = {bind_to({0}), make_policy(Mode::kInterleave, {0})};
        uint64_t rounds = 0;
        while (!done.load()) {
            (void)target.publish_process(policies[rounds % 2], kWaitMs);
            for (const control::ThreadState& thread : target.threads()) {
                if (thread.slot % 2 == 0) continue;
                std::optional<Policy> own;
                if (rounds % 3 != 0) own = policies[(rounds + 1) % 2];
                (void)target.publish_thread(thread.slot, own, kWaitMs);
            }
            ++rounds;
        }
        EXPECT_GT(rounds, 100U);
    });
    EXPECT_NO_THROW(expect_forks(subject, kForks));
    done = true;
    writer.join();
    EXPECT_EQ(subject.finish(), 0);
}

SUBJECT(fork_against_stdio) {
    ::alarm(kParentSeconds);
    make_long_line();
    start(read_lines);
    start(read_lines);
    start(flush_all);
    start(allocate_and_free);
    say("ready");
    fork_many(kForks / 2, child_uses_stdio);
    await_command();
    ::_exit(0);
}

TEST(Fork, NeverHangsAgainstGetlineAndFlush) {
    Subject subject("fork_against_stdio");
    subject.hear("ready");
    expect_forks(subject, kForks / 2);
    EXPECT_EQ(subject.finish(), 0);
}

}  // namespace mpol::test

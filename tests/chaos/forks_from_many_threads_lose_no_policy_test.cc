// SPDX-License-Identifier: Apache-2.0
// Many threads of one process fork while its policy is rewritten from outside without a pause. Each
// child looks at its own segment: the process's policy in it is one that was in force at the fork,
// its only thread has the policy of the thread that forked, and it ends.
//
//   MPOL_CHAOS_FORKS=1000000 MPOL_CHAOS_FORK_THREADS=64: the long form.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <iostream>
#include <thread>

#include "chaos.h"
#include "sys/sys.h"

namespace mpol::test {
namespace {

constexpr unsigned kForks = 5000;
constexpr unsigned kThreads = 16;
// The first of them have policies of their own: each such scope makes a fork dearer.
constexpr unsigned kOwners = 16;

// What was published, when. The last ones: a fork is over long before they come round again.
struct Journal {
    static constexpr unsigned kEntries = 1 << 16;
    struct Entry {
        std::atomic<uint64_t> begun_ns;
        std::atomic<uint64_t> done_ns;
        std::atomic<uint32_t> policy;
    };
    Entry entries[kEntries];
    std::atomic<uint64_t> begun;  // entries

    // Whether the policy may have been in force at some time of these.
    [[nodiscard]] bool knows(unsigned policy, uint64_t from_ns, uint64_t to_ns) const {
        const uint64_t last = begun.load();
        for (uint64_t i = last; i > 0 && last - i < kEntries - 1; --i) {
            const Entry& entry = entries[(i - 1) % kEntries];
            const Entry& next = entries[i % kEntries];
            const uint64_t over_ns = i == last ? UINT64_MAX : next.done_ns.load();
            if (entry.begun_ns.load() <= to_ns && over_ns >= from_ns && entry.policy == policy) {
                return true;
            }
            if (over_ns < from_ns) return false;
        }
        return false;
    }
};

// Number of a thread's own policy; 0 is none.
unsigned own_policy_of(unsigned thread) {
    return thread < kOwners ? thread % static_cast<unsigned>(chaos_policies().size()) : 0;
}

// What went wrong, as a child's exit status.
enum Wrong : int { kNothing = 0, kNoSegment = 10, kTorn, kLostProcess, kLostThread, kNoThread };

Journal& journal_at(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    void* const at = ::mmap(nullptr, sizeof(Journal), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) ::_exit(9);
    return *static_cast<Journal*>(at);
}

int look_in_child(const Journal& journal, unsigned own_policy, uint64_t before_ns) {
    const uint64_t after_ns = sys::monotonic_ns();
    call_allocator();
    const auto self = control::Target::attach(::getpid(), control::Access::kRead);
    if (!self) return kNoSegment;
    const auto policy = number_of(self->process().asked);
    if (!policy) return kTorn;
    if (!journal.knows(*policy, before_ns, after_ns)) return kLostProcess;
    const auto slot = self->slot_of(::getpid());
    if (!slot) return kNoThread;
    const auto thread = self->thread(*slot);
    if (!thread) return kNoThread;
    const auto own = number_of(thread->asked);
    if (!own) return kTorn;
    return *own == own_policy ? kNothing : kLostThread;
}

// The child's exit status, -1 when it had to be killed.
int end_of(pid_t child) {
    const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, child, 0));
    pollfd waiting{pidfd, POLLIN, 0};
    int ready = 0;
    while ((ready = ::poll(&waiting, 1, kStuckMs)) < 0 && errno == EINTR) {
    }
    ::close(pidfd);
    if (ready == 0) {
        tell_stacks(child);
        ::kill(child, SIGKILL);
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (ready == 0) return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

// Arguments: the journal's path, forks, threads. Each thread says its id and waits for a policy.
SUBJECT(forking_threads) {
    const Journal& journal = journal_at(subject_arguments[0]);
    const unsigned forks = static_cast<unsigned>(std::stoul(subject_arguments[1]));
    const unsigned count = static_cast<unsigned>(std::stoul(subject_arguments[2]));
    std::atomic<unsigned> ready{0};
    std::atomic<bool> go{false};
    std::atomic<unsigned> forked{0};
    std::atomic<int> wrong{kNothing};
    const auto fork_on = [&](unsigned own_policy) {
        call_allocator();
        say("thread %d", static_cast<int>(sys::thread_id()));
        ++ready;
        go.wait(false);
        call_allocator();
        while (wrong == kNothing && forked.fetch_add(1) < forks) {
            const uint64_t before_ns = sys::monotonic_ns();
            const pid_t child = ::fork();
            if (child == 0) ::_exit(look_in_child(journal, own_policy, before_ns));
            const int end = child < 0 ? errno : end_of(child);
            if (end != kNothing) wrong = end;
        }
    };
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < count; ++i) {
        threads.emplace_back(fork_on, own_policy_of(i));
        while (ready <= i) sys::yield();
    }
    await_command();
    go = true;
    go.notify_all();
    for (std::thread& thread : threads) thread.join();
    say("wrong %d", wrong.load());
    say("forked %u", std::min(forked.load(), forks));
    return 0;
}

TEST(Chaos, ForksFromManyThreadsLoseNoPolicy) {
    std::mt19937_64 random(announced_seed());
    const unsigned forks = number_from_environment("MPOL_CHAOS_FORKS", kForks);
    const unsigned threads = number_from_environment("MPOL_CHAOS_FORK_THREADS", kThreads);
    const int memory = ::memfd_create("journal", 0);
    ASSERT_EQ(::ftruncate(memory, sizeof(Journal)), 0);
    const std::string path =
        "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(memory);
    Journal& journal = journal_at(path);
    Subject subject("forking_threads",
                    {.arguments = {path, std::to_string(forks), std::to_string(threads)}});
    control::Target* target = nullptr;
    std::optional<control::Target> attached;
    for (unsigned i = 0; i < threads; ++i) {
        const auto tid = static_cast<pid_t>(subject.hear_number("thread"));
        if (target == nullptr) target = &attached.emplace(subject.attach());
        if (const auto& own = chaos_policies()[own_policy_of(i)]) {
            set_thread(*target, tid, own);
        }
    }
    journal.entries[0].policy = 0;  // Nothing is set at first.
    journal.begun = 1;
    subject.tell('g');
    std::atomic<bool> over{false};
    std::thread writer([&] {
        while (!over) {
            const auto number = static_cast<unsigned>(random() % chaos_policies().size());
            const uint64_t entry = journal.begun;
            Journal::Entry& next = journal.entries[entry % Journal::kEntries];
            next.policy = number;
            next.done_ns = UINT64_MAX;
            next.begun_ns = sys::monotonic_ns();
            journal.begun = entry + 1;
            const auto published = target->publish_process(chaos_policies()[number], kWaitMs);
            next.done_ns = sys::monotonic_ns();
            EXPECT_TRUE(published);
            std::this_thread::sleep_for(std::chrono::microseconds(random() % 500));
        }
    });
    std::string wrong;
    // The subject says nothing for long; it has a watchdog of its own.
    while (wrong.empty()) {
        try {
            wrong = subject.hear("wrong");
        } catch (const std::runtime_error& silence) {
            if (std::string(silence.what()).find("in time") == std::string::npos) wrong = "gone";
        }
    }
    over = true;
    writer.join();
    EXPECT_EQ(wrong, "0");
    const uint64_t forked = subject.hear_number("forked");
    EXPECT_EQ(forked, forks);
    EXPECT_EQ(subject.finish(), 0);
    std::cout << forked << " forks, " << journal.begun - 1 << " rewrites\n";
    ::close(memory);
}

}  // namespace mpol::test

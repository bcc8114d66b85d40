// SPDX-License-Identifier: Apache-2.0
// One call rewrites the policy of a process with 1,000 running threads, and every one of them
// acknowledges it. Prints how long that took; asserts only that it is complete.
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>

#include "mpol/mpol.h"
#include "subject.h"
#include "sys/sys.h"

namespace mpol::test {
namespace {

constexpr unsigned kThreads = 1'000;
// "Running" on a machine of two processors: each allocates this often.
constexpr int64_t kAllocationsEveryNs = 20'000'000;

uint32_t stop = 0;
std::atomic<unsigned> started{0};

void* allocate_until_stopped(void*) {
    call_allocator();
    started.fetch_add(1);
    started.notify_one();
    while (__atomic_load_n(&stop, __ATOMIC_ACQUIRE) == 0) {
        (void)sys::futex_wait(&stop, 0, kAllocationsEveryNs);
        call_allocator();
    }
    return nullptr;
}

SUBJECT(thousand) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, size_t{64} << 10);
    static pthread_t threads[kThreads];
    for (pthread_t& thread : threads) {
        if (pthread_create(&thread, &attributes, allocate_until_stopped, nullptr) != 0) {
            say("only %u threads", started.load());
            return 1;
        }
    }
    for (unsigned seen = started; seen < kThreads; seen = started) started.wait(seen);
    say("ready");
    await_command();
    __atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
    sys::futex_wake(&stop, INT32_MAX);
    for (const pthread_t thread : threads) pthread_join(thread, nullptr);
    return 0;
}

using Clock = std::chrono::steady_clock;
double ms_since(Clock::time_point begin) {
    return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

// The main thread waits for its command and allocates nothing.
unsigned acknowledged(const control::Target& target, pid_t main, uint64_t generation) {
    unsigned count = 0;
    for (const control::ThreadState& thread : target.threads()) {
        count += thread.tid != main && thread.process_seen >= generation ? 1 : 0;
    }
    return count;
}

void rewrite(const Subject& subject, int mode) {
    mpol_target* handle = nullptr;
    ASSERT_EQ(mpol_open(subject.pid(), MPOL_WRITE, &handle), 0);
    mpol_policy policy{};
    policy.mode = mode;
    policy.home_node = MPOL_NO_NODE;
    policy.nodes[0] = 1;
    const auto begin = Clock::now();
    const int result = mpol_write(handle, 0, &policy, kWaitMs);
    const double in_force_ms = ms_since(begin);
    mpol_state state{};
    ASSERT_EQ(result, 0);
    ASSERT_EQ(mpol_read(handle, 0, &state), 0);
    mpol_close(handle);
    EXPECT_EQ(state.in_force, 1);
    EXPECT_EQ(state.policy.mode, mode);

    const control::Target target = subject.attach();
    const auto all = [&] {
        return acknowledged(target, subject.pid(), state.generation) == kThreads;
    };
    EXPECT_TRUE(eventually(all)) << acknowledged(target, subject.pid(), state.generation);
    std::printf("in force on the heap after %.2f ms, acknowledged by %u threads after %.2f ms\n",
                in_force_ms, kThreads, ms_since(begin));
}

}  // namespace

TEST(ProcessRewrite, IsAcknowledgedByAThousandThreads) {
    Subject subject("thousand");
    subject.hear("ready");
    EXPECT_EQ(subject.attach().slotless_threads(), 0U);
    for (const Mode mode : {Mode::kBind, Mode::kInterleave, Mode::kPreferred}) {
        rewrite(subject, static_cast<int>(mode));
    }
    // The kernel agrees: a sample of the threads.
    const std::vector<pid_t> all = tasks(subject.pid());
    for (size_t i = 1; i < all.size(); i += 97) {
        if (task_name(subject.pid(), all[i]).rfind("mpol-", 0) == 0) continue;
        EXPECT_EQ(task_policy(subject.pid(), all[i]), "prefer:0") << all[i];
    }
    subject.tell('e');
    EXPECT_EQ(subject.finish(), 0);
}

}  // namespace mpol::test

// SPDX-License-Identifier: Apache-2.0
// More threads at once than the segment has slots for: the others have no policy of their own, and
// that is counted.
#include <gtest/gtest.h>
#include <pthread.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "subject.h"

namespace mpol::test {
namespace {

constexpr unsigned kThreads = 5000;
constexpr size_t kStackBytes = 64 << 10;

pthread_barrier_t barrier;
pid_t tids[kThreads];

void* wait_twice(void* opaque) {
    *static_cast<pid_t*>(opaque) = ::gettid();
    call_allocator();
    pthread_barrier_wait(&barrier);  // All are there.
    pthread_barrier_wait(&barrier);  // A policy has been published.
    call_allocator();
    pthread_barrier_wait(&barrier);  // All have seen it.
    pthread_barrier_wait(&barrier);  // The test has looked.
    return nullptr;
}

}  // namespace

SUBJECT(very_many_threads) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, kStackBytes);
    pthread_barrier_init(&barrier, nullptr, kThreads + 1);
    static pthread_t threads[kThreads];
    for (unsigned i = 0; i < kThreads; ++i) {
        const int err = pthread_create(&threads[i], &attributes, wait_twice, &tids[i]);
        if (err != 0) {
            say("refused %u", i);
            ::_exit(0);
        }
    }
    pthread_barrier_wait(&barrier);
    say("started %d", tids[kThreads - 1]);
    await_command();
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    say("seen");
    await_command();
    pthread_barrier_wait(&barrier);
    for (const pthread_t thread : threads) pthread_join(thread, nullptr);
    say("joined");
    await_command();
    return 0;
}

TEST(Slots, AreMissingForSomeWhoThenFollowTheProcess) {
    Subject subject("very_many_threads");
    const std::string answer = subject.hear();
    if (answer.rfind("refused", 0) == 0) GTEST_SKIP() << "this machine " << answer << " threads";
    const auto last = static_cast<pid_t>(std::strtol(answer.c_str() + 8, nullptr, 10));
    control::Target target = subject.attach();
    EXPECT_EQ(target.threads().size(), MPOL_CTL_SLOTS);
    EXPECT_EQ(target.slotless_threads(), kThreads + 1 - MPOL_CTL_SLOTS);
    EXPECT_NE(find_error(target.errors(), MPOL_CTL_ERROR_SLOTS), nullptr);
    const auto slot = target.slot_of(last);
    ASSERT_FALSE(slot.has_value());
    EXPECT_EQ(slot.error().err, ENODEV);

    set_process(target, bind_to({0}));
    subject.ask('s', "seen");
    EXPECT_EQ(task_policy(subject.pid(), last), "bind:0");
    subject.ask('s', "joined");
    EXPECT_EQ(target.slotless_threads(), 0U);
    EXPECT_EQ(target.threads().size(), 1U);
    EXPECT_EQ(subject.finish(), 0);
}

}  // namespace mpol::test

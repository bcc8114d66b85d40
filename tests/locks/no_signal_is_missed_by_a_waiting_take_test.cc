// SPDX-License-Identifier: Apache-2.0
// A take that waits is ended by a signal whenever it comes: in the instant before the sleep, made
// by the test itself before every sleep; and at random instants after the call, many times. One
// signal each: a second one would hide that the first was missed.
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <ucontext.h>

#include <cerrno>
#include <chrono>
#include <random>

#include "errand.h"
#include "heap/futex_gate.h"
#include "mpol/notifier.h"
#include "subject.h"

namespace mpol::test {
namespace {

constexpr int kRounds = 3'000;
constexpr int kSpinsMax = 4'000;

std::atomic<unsigned> handled{0};
void note_signal(int) {
    handled.fetch_add(1);
}

// The gate's memory, with a signal that is on its way when the wait begins.
struct SignalledMemory : heap::FutexMemory {
    static int wait_interruptibly(const Cell& cell, uint32_t expected) {
        ::pthread_kill(::pthread_self(), SIGUSR1);
        return FutexMemory::wait_interruptibly(cell, expected);
    }
};

void install(void (*handler)(int)) {
    struct sigaction action {};
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    ::sigaction(SIGUSR1, &action, nullptr);
}

}  // namespace

TEST(SignalBeforeTheSleep, EndsTheWaitAtAGate) {
    install(note_signal);
    heap::BasicGate<SignalledMemory> gate;
    gate.enter();
    Errand closer([&] {
        const sys::HeldSignals held;
        EXPECT_EQ(gate.close(), -EINTR);
    });
    const unsigned before = handled.load();
    closer.begin();
    EXPECT_TRUE(closer.done_soon()) << "the signal was missed";
    EXPECT_GT(handled.load(), before);
    gate.leave();
    EXPECT_TRUE(gate.try_enter()) << "the gate is open";
    gate.leave();
}

TEST(SignalBeforeTheSleep, EndsTheWaitForAMutex) {
    install(note_signal);
    sys::Mutex mutex;
    mutex.lock();
    Errand locker([&] {
        const sys::HeldSignals held;
        ::pthread_kill(::pthread_self(), SIGUSR1);
        EXPECT_EQ(mutex.lock_interruptibly(), -EINTR);
    });
    locker.begin();
    EXPECT_TRUE(locker.done_soon()) << "the signal was missed";
    mutex.unlock();
}

TEST(SignalBeforeTheSleep, IsNoneWhereItIsIgnored) {
    install(SIG_IGN);
    sys::Mutex mutex;
    mutex.lock();
    Errand locker([&] {
        const sys::HeldSignals held;
        ::pthread_kill(::pthread_self(), SIGUSR1);
        EXPECT_EQ(mutex.lock_interruptibly(), 0);
        mutex.unlock();
    });
    locker.begin();
    EXPECT_TRUE(locker.held_off());
    mutex.unlock();
    EXPECT_TRUE(locker.done_soon());
}

namespace {

// While the take waits, the signals it holds back are in the mask that its handlers interrupt.
std::atomic<unsigned> handled_inside{0};
std::atomic<unsigned> handled_before{0};

void note_where(int, siginfo_t*, void* context) {
    const auto* const interrupted = static_cast<const ucontext_t*>(context);
    const bool inside = sigismember(&interrupted->uc_sigmask, SIGUSR2) == 1;
    (inside ? handled_inside : handled_before).fetch_add(1);
}

std::atomic<int> calling{0};    // the round that is about to call
std::atomic<int> returned{-1};  // 0: may begin
std::atomic<bool> there{false};
std::atomic<int> not_interrupted{0};

void* take_again_and_again(void*) {
    call_allocator();  // It has its slot.
    there = true;
    for (int round = 1; round <= kRounds; ++round) {
        while (returned.load() != round - 1) ::sched_yield();
        calling = round;
        if (mpol_take_all_locks() != -EINTR) ++not_interrupted;
        returned = round;
    }
    return nullptr;
}

bool returns_within(int round, int ms) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(ms);
    while (returned.load() != round && std::chrono::steady_clock::now() < until) {
        ::sched_yield();
    }
    return returned.load() == round;
}

}  // namespace

SUBJECT(signalled_at_random) {
    struct sigaction action {};
    action.sa_sigaction = note_where;
    action.sa_flags = SA_RESTART | SA_SIGINFO;
    ::sigaction(SIGUSR1, &action, nullptr);
    pthread_t taker;
    if (::pthread_create(&taker, nullptr, take_again_and_again, nullptr) != 0) return 1;
    while (!there.load()) ::sched_yield();
    if (mpol_take_all_locks() != 0) return 1;
    returned = 0;
    std::minstd_rand random(1);
    unsigned missed = 0;
    for (int round = 1; round <= kRounds; ++round) {
        while (calling.load() != round) ::sched_yield();
        const unsigned inside = handled_inside.load();
        for (unsigned spins = random() % kSpinsMax; spins > 0; --spins) asm volatile("");
        ::pthread_kill(taker, SIGUSR1);
        // A handler that ran before the call had begun is not the take's: another signal.
        while (!returns_within(round, 100)) {
            if (handled_inside.load() != inside) {
                if (!returns_within(round, kSoonMs)) ++missed;
            }
            ::pthread_kill(taker, SIGUSR1);
        }
    }
    (void)mpol_drop_all_locks();
    ::pthread_join(taker, nullptr);
    say("inside %u", handled_inside.load());
    say("before %u", handled_before.load());
    say("missed %u", missed);
    say("not_interrupted %d", not_interrupted.load());
    return 0;
}

TEST(SignalAtARandomInstant, EndsEveryTake) {
    Subject subject("signalled_at_random");
    const uint64_t inside = subject.hear_number("inside");
    const uint64_t before = subject.hear_number("before");
    EXPECT_EQ(subject.hear("missed"), "0");
    EXPECT_EQ(subject.hear("not_interrupted"), "0");
    std::printf("%lu signals came while a take waited, %lu before it began, none was missed\n",
                inside, before);
    EXPECT_GE(inside, static_cast<uint64_t>(kRounds));
    EXPECT_EQ(subject.finish(), 0);
}

}  // namespace mpol::test

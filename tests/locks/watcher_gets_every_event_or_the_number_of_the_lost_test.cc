// SPDX-License-Identifier: Apache-2.0
// The subject counts its operations by a notifier; the watcher, outside, must come to the same
// number: all of them received while it keeps up, received and lost when it does not.
#include <gtest/gtest.h>

#include <cstdlib>
#include <vector>

#include "control/watch.h"
#include "errand.h"
#include "mpol/notifier.h"
#include "subject.h"

namespace mpol::test {
namespace {

constexpr int kThreads = 4;
constexpr int kRoundsAtEase = 100;
constexpr int kRoundsInHaste = 3000;

std::atomic<uint64_t> told{0};

void count(void*, mpol_event, void*, size_t) {
    ++told;
}

void grow_and_purge(int rounds, useconds_t pause_us) {
    for (int i = 0; i < rounds; ++i) {
        std::free(volatile_malloc(size_t{256} << 10));
        (void)preloaded_mallctl("arena.4096.purge", nullptr, nullptr, nullptr, 0);
        if (pause_us != 0) ::usleep(pause_us);
    }
}

void by_threads(int rounds, useconds_t pause_us) {
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) threads.emplace_back(grow_and_purge, rounds, pause_us);
    for (std::thread& thread : threads) thread.join();
}

}  // namespace

SUBJECT(watched) {
    const mpol_notifier_ops ops{count, count};
    if (mpol_notifier_register(&ops, nullptr) != 0) return 1;
    by_threads(1, 0);
    say("ready");
    for (;;) {
        const char command = await_command();
        if (command != 'e' && command != 'h') return 0;
        told = 0;
        by_threads(command == 'e' ? kRoundsAtEase : kRoundsInHaste, command == 'e' ? 1000 : 0);
        say("told %lu", static_cast<unsigned long>(told.load()));
    }
}

namespace {

struct Heard {
    uint64_t events = 0;
    uint64_t lost = 0;
    uint64_t disorder = 0;
    uint64_t last = 0;

    [[nodiscard]] uint64_t all() const { return events + lost; }
    // False: nothing more for a while.
    bool take(control::Watch& watch, int timeout_ms) {
        switch (watch.next(timeout_ms)) {
            case control::Watch::Outcome::kEvent:
                if (events + lost > 0 && watch.event().sequence <= last) ++disorder;
                last = watch.event().sequence;
                ++events;
                return true;
            case control::Watch::Outcome::kLost:
                lost += watch.lost();
                return true;
            default:
                return false;
        }
    }
};

// Longer than a row may stay unfinished.
constexpr int kQuietMs = 1500;

}  // namespace

TEST(Watcher, HearsEveryEventWhileItKeepsUp) {
    Subject subject("watched");
    subject.hear("ready");
    control::Target target = subject.attach();
    control::Watch watch(target);
    subject.tell('e');
    Heard heard;
    while (heard.take(watch, kQuietMs)) {
    }
    EXPECT_EQ(heard.events, subject.hear_number("told"));
    EXPECT_EQ(heard.lost, 0U);
    EXPECT_EQ(heard.disorder, 0U);
    EXPECT_GT(heard.events, static_cast<uint64_t>(kRoundsAtEase));
    subject.finish();
    EXPECT_EQ(watch.next(kWaitMs), control::Watch::Outcome::kGone);
}

TEST(Watcher, IsToldHowManyItLostWhenItDoesNot) {
    Subject subject("watched");
    subject.hear("ready");
    control::Target target = subject.attach();
    control::Watch watch(target);
    subject.tell('h');
    Heard heard;
    while (heard.take(watch, kQuietMs)) {
        if (heard.events % 64 == 0) ::usleep(5000);
    }
    EXPECT_EQ(heard.all(), subject.hear_number("told"));
    EXPECT_GT(heard.lost, 0U);
    EXPECT_EQ(heard.disorder, 0U);
}

// It neither waits for room in the ring nor stops counting when the watcher's time is up.
TEST(Watcher, ThatIsStoppedBlocksNobodyAndMissesNothingUncounted) {
    Subject subject("watched");
    subject.hear("ready");
    control::Target target = subject.attach();
    control::Watch watch(target);
    subject.tell('h');
    const uint64_t told_events = subject.hear_number("told");
    ASSERT_GT(told_events, uint64_t{MPOL_CTL_EVENTS});
    Heard heard;
    while (heard.take(watch, kQuietMs)) {
    }
    EXPECT_EQ(heard.all(), told_events);
    EXPECT_LE(heard.events, uint64_t{MPOL_CTL_EVENTS});
    EXPECT_GT(heard.events, 0U);
    EXPECT_EQ(heard.disorder, 0U);
}

// Nobody watches: no row is resident and none is written.
TEST(Watcher, LeavesNoTraceBeforeItComes) {
    Subject subject("watched");
    subject.hear("ready");
    const std::string bytes = segment_bytes(subject.pid());
    EXPECT_EQ(header_of(bytes).header.event_head, 0U);
    EXPECT_EQ(bytes.find_first_not_of('\0', MPOL_CTL_EVENTS_OFFSET), std::string::npos);
}

}  // namespace mpol::test

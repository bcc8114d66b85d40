// SPDX-License-Identifier: Apache-2.0
// 3,000 writing processes, each killed somewhere in a tight loop of publications to the process's
// latch and to a thread's, which share their spare. MPOL_TEST_SEED=n replays the moments of death
// as closely as the machine's timing allows.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <iostream>
#include <random>
#include <thread>

#include "replay.h"
#include "subject.h"

namespace mpol::test {
namespace {

constexpr int kKills = 3'000;
constexpr unsigned kSlot = 0;  // the target's main thread
// A publication is a few microseconds, most of it in system calls.
constexpr unsigned kLifeMaxUs = 300;
constexpr int kLockWaitMs = 10'000;

uint64_t pattern(uint64_t number, unsigned word) {
    return (number + word) * 0x9e3779b97f4a7c15;  // invertible: the first word tells the number
}

// Every field that a writer chooses follows from number.
Policy policy_of(uint64_t number) {
    Policy policy;
    policy.mode = number % 2 == 0 ? Mode::kBind : Mode::kPreferredMany;
    policy.home_node = static_cast<int32_t>(number % kMaxNodes);
    for (unsigned i = 0; i < kNodeWords; ++i) policy.nodes.words[i] = pattern(number, i);
    return policy;
}

uint64_t number_of(const Policy& policy) {
    constexpr uint64_t kInverse = 0xf1de83e19937733d;
    static_assert(0x9e3779b97f4a7c15 * kInverse == 1);
    return policy.nodes.words[0] * kInverse;
}

bool whole(const control::Published& published) {
    return published.readable && published.set &&
           published.policy == policy_of(number_of(published.policy));
}

bool publish_both(control::Target& target, uint64_t number) {
    return target.publish_process(policy_of(number), kLockWaitMs).has_value() &&
           target.publish_thread(kSlot, policy_of(number), kLockWaitMs).has_value();
}

struct Reads {
    std::atomic<uint64_t> good{0};
    std::atomic<uint64_t> bad{0};
    std::atomic<uint64_t> backwards{0};

    void judge(const control::Published& published, uint64_t& last) {
        ++(whole(published) ? good : bad);
        if (published.generation < last) ++backwards;
        last = published.generation;
    }
};

void read_until(const std::atomic<bool>& done, const control::Target& target, Reads& reads) {
    uint64_t last[2]{};
    while (!done.load(std::memory_order_relaxed)) {
        reads.judge(target.process().asked, last[0]);
        const auto thread = target.thread(kSlot);
        if (!thread) {
            ++reads.bad;
            continue;
        }
        reads.judge(thread->asked, last[1]);
    }
}

// How many latches a dead writer left in the state that the next one has to finish.
unsigned unfinished(int segment_fd) {
    unsigned count = 0;
    for (const size_t offset :
         {offsetof(mpol_ctl, header.process_word), offsetof(mpol_ctl, slots[kSlot].word)}) {
        uint64_t word = 0;
        EXPECT_EQ(::pread(segment_fd, &word, sizeof(word), static_cast<off_t>(offset)), 8);
        count += (word & MPOL_CTL_WORD_SPARE) != 0;
    }
    return count;
}

}  // namespace

SUBJECT(listens) {
    call_allocator();
    say("ready");
    await_command();
    return 0;
}

SUBJECT(publishes_until_killed) {
    control::Target target = attach(std::atoi(subject_arguments.at(0).c_str()));
    uint64_t number = std::strtoull(subject_arguments.at(1).c_str(), nullptr, 0);
    if (!publish_both(target, number)) return 1;
    say("ready");
    while (publish_both(target, ++number)) {
    }
    return 1;
}

TEST(KilledWriter, LeavesLatchWhole) {
    std::mt19937 random(static_cast<unsigned>(announced_seed()));

    Subject subject("listens");
    subject.hear("ready");
    control::Target target = subject.attach();
    const std::string path = "/proc/" + std::to_string(subject.pid()) + "/fd/" +
                             std::to_string(segment_descriptors(subject.pid()).at(0));
    const int segment_fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    ASSERT_TRUE(publish_both(target, 1));

    std::atomic<bool> done{false};
    Reads reads;
    std::thread reader([&] { read_until(done, target, reads); });
    unsigned left_unfinished = 0;
    for (uint64_t kill = 1; kill <= kKills && !HasFailure(); ++kill) {
        {
            Subject writer("publishes_until_killed", {.arguments = {std::to_string(subject.pid()),
                                                                    std::to_string(kill << 32)},
                                                      .preload = false});
            writer.hear("ready");
            ::usleep(random() % kLifeMaxUs);
        }  // SIGKILL
        left_unfinished += unfinished(segment_fd);
        EXPECT_TRUE(whole(target.process().asked));
        EXPECT_TRUE(whole(target.thread(kSlot).value().asked));
        EXPECT_TRUE(publish_both(target, kill));
        EXPECT_EQ(number_of(target.process().asked.policy), kill);
        EXPECT_EQ(number_of(target.thread(kSlot)->asked.policy), kill);
    }
    done = true;
    reader.join();
    ::close(segment_fd);
    std::cout << reads.good << " reads; " << left_unfinished << " of " << kKills
              << " writers died between two steps that readers can see" << std::endl;
    EXPECT_EQ(reads.bad, 0U);
    EXPECT_EQ(reads.backwards, 0U);
    EXPECT_GT(left_unfinished, 0U) << "no writer died where it matters";
    EXPECT_EQ(subject.finish(), 0);
}

}  // namespace mpol::test

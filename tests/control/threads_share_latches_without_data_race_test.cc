// SPDX-License-Identifier: Apache-2.0
// The latch over a segment's plain words, by threads: for ThreadSanitizer, which sees races that
// the values do not show, and for the machine's own memory order.
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

#include "control/words.h"

namespace mpol::test {
namespace {

using namespace control;

constexpr unsigned kLatches = 3;  // the process's and two slots', which share the spare
constexpr int kPublications = 100'000;

mpol_ctl segment;
std::mutex writers_lock;
std::atomic<bool> writing{true};

SharedLatch latch_at(unsigned index) {
    return index == 0 ? process_latch(segment) : slot_latch(segment, index - 1);
}

// Every word of a payload follows from latch and generation.
uint64_t payload_word(unsigned index, uint64_t generation, unsigned word) {
    return (generation * kLatches + index) * 0x9e3779b97f4a7c15 + word;
}

void publish(unsigned index) {
    const std::lock_guard locked(writers_lock);
    SharedLatch unfinished{};
    ASSERT_TRUE(owner_latch(segment, load(segment.header.spare_owner), unfinished));
    latch_finish(unfinished);
    store(segment.header.spare_owner, uint64_t{index});
    const SharedLatch latch = latch_at(index);
    const uint64_t seen = load(*latch.word);
    uint64_t payload[kPolicyWords];
    for (unsigned i = 0; i < kPolicyWords; ++i) {
        payload[i] = payload_word(index, generation(seen) + 1, i);
    }
    ASSERT_TRUE(latch_publish(latch, seen, kHasPolicy, payload));
}

struct Reads {
    uint64_t torn = 0;
    uint64_t backwards = 0;
    uint64_t given_up = 0;
    uint64_t good = 0;
};

void read(unsigned index, uint64_t& last, Reads& reads) {
    uint64_t payload[kPolicyWords];
    uint64_t word = 0;
    if (!latch_read(latch_at(index), payload, word)) {
        ++reads.given_up;
        return;
    }
    if ((word & kHasPolicy) == 0) return;
    bool whole = true;
    for (unsigned i = 0; i < kPolicyWords; ++i) {
        whole = whole && payload[i] == payload_word(index, generation(word), i);
    }
    ++(whole ? reads.good : reads.torn);
    if (generation(word) < last) ++reads.backwards;
    last = generation(word);
}

Reads read_all() {
    Reads reads;
    uint64_t last[kLatches]{};
    // Once more when all is written: a reader may begin only then.
    for (bool over = false; !over;) {
        over = !writing.load(std::memory_order_relaxed);
        for (unsigned index = 0; index < kLatches; ++index) read(index, last[index], reads);
    }
    return reads;
}

TEST(ThreadsShareLatches, WithoutDataRace) {
    for (unsigned index = 0; index < kLatches; ++index) {
        store(*latch_at(index).word, next_generation(kLive));
    }
    Reads reads[2];
    std::vector<std::thread> readers;
    for (Reads& result : reads) readers.emplace_back([&result] { result = read_all(); });
    std::vector<std::thread> writers;
    for (unsigned writer = 0; writer < 2; ++writer) {
        writers.emplace_back([writer] {
            for (int i = 0; i < kPublications; ++i) {
                publish((static_cast<unsigned>(i) + writer) % kLatches);
            }
        });
    }
    for (std::thread& writer : writers) writer.join();
    writing.store(false, std::memory_order_relaxed);
    for (std::thread& reader : readers) reader.join();
    for (const Reads& result : reads) {
        EXPECT_EQ(result.torn, 0U);
        EXPECT_EQ(result.backwards, 0U);
        EXPECT_GT(result.good, 0U);
    }
}

TEST(ThreadsShareLatches, FlippedWithoutDataRace) {
    const SharedLatch latch = effective_latch(segment);
    std::atomic<bool> flipping{true};
    uint64_t torn = 0;
    std::thread reader([&] {
        while (flipping.load(std::memory_order_relaxed)) {
            uint64_t payload[kNodeWords];
            uint64_t word = 0;
            if (!latch_read(latch, payload, word)) continue;
            for (unsigned i = 0; i < kNodeWords; ++i) {
                const uint64_t want =
                    generation(word) == 0 ? 0 : payload_word(0, generation(word), i);
                if (payload[i] != want) ++torn;
            }
        }
    });
    for (uint64_t next = 1; next <= kPublications; ++next) {
        uint64_t payload[kNodeWords];
        for (unsigned i = 0; i < kNodeWords; ++i) payload[i] = payload_word(0, next, i);
        latch_flip(latch, kHasPolicy, payload);
    }
    flipping.store(false, std::memory_order_relaxed);
    reader.join();
    EXPECT_EQ(torn, 0U);
}

}  // namespace
}  // namespace mpol::test

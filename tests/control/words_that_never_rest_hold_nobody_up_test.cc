// SPDX-License-Identifier: Apache-2.0
// Whoever may write a segment may change its words without end. Nothing that the target or a writer
// does tries again for ever because of that: it is counted how often each looks or tries at the
// most.
#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <stdexcept>
#include <thread>

#include "control/slots.h"

namespace mpol::test {
namespace {

using namespace control;

// More than anything here may try, and soon over.
constexpr unsigned kTriesMax = 10'000;

struct Endless : std::runtime_error {
    Endless() : std::runtime_error("tries for ever") {}
};

// One thread; before each access somebody else changes the word, as the test says.
struct Restless {
    struct Cell {
        mutable uint64_t value = 0;
        bool rests = true;
    };
    static inline unsigned accesses = 0;
    static inline uint64_t others_bits = 0;  // set in each of their words

    static void change(const Cell& cell) {
        if (cell.rests) return;
        if (++accesses > kTriesMax) throw Endless();
        cell.value = next_generation(cell.value) | others_bits;
    }
    static uint64_t load(const Cell& cell) {
        change(cell);
        return cell.value;
    }
    static void store(Cell& cell, uint64_t value) {
        change(cell);
        cell.value = value;
    }
    static bool cas(Cell& cell, uint64_t& expected, uint64_t desired) {
        change(cell);
        const bool same = cell.value == expected;
        (same ? cell.value : expected) = same ? desired : cell.value;
        return same;
    }
    static void clear(Cell& cell, uint64_t bits) {
        change(cell);
        cell.value &= ~bits;
    }
};

class RestlessWord : public testing::Test {
  protected:
    RestlessWord() {
        word_.rests = false;
        Restless::accesses = 0;
        Restless::others_bits = kLive | kSpare | kHasPolicy;
    }

    Restless::Cell word_;
    Restless::Cell home_;
    Restless::Cell spare_;
    Latch<Restless> latch_{&word_, &home_, &spare_, 1};
};

TEST_F(RestlessWord, IsReadSoManyTimes) {
    uint64_t payload = 0;
    uint64_t seen = 0;
    EXPECT_FALSE(latch_read(latch_, &payload, seen));
    EXPECT_EQ(Restless::accesses, 2 * kLatchTries);
}

TEST_F(RestlessWord, IsSettledAtOnce) {
    latch_settle(latch_);
    EXPECT_EQ(Restless::accesses, 1U);
    EXPECT_EQ(word_.value & kSpare, 0U);
}

TEST_F(RestlessWord, IsFinishedAtOnce) {
    latch_finish(latch_);
    EXPECT_EQ(Restless::accesses, 2U);
}

TEST_F(RestlessWord, IsPublishedToOnceAndInVain) {
    const uint64_t payload = 1;
    EXPECT_FALSE(latch_publish(latch_, word_.value, kHasPolicy, &payload));
    EXPECT_EQ(Restless::accesses, 1U);
}

TEST_F(RestlessWord, IsClaimedOnceAndInVain) {
    Restless::others_bits = 0;
    EXPECT_FALSE(slot_claim<Restless>(word_));
    EXPECT_EQ(Restless::accesses, 2U);
}

TEST_F(RestlessWord, IsOpenedAtOnce) {
    slot_open<Restless>(word_, kHasPolicy);
    EXPECT_EQ(Restless::accesses, 2U);
    EXPECT_EQ(word_.value & (kState | kHasPolicy), kLive | kHasPolicy);
}

TEST_F(RestlessWord, IsReleasedAtOnce) {
    slot_release<Restless>(word_);
    EXPECT_EQ(Restless::accesses, 1U);
    EXPECT_EQ(word_.value & (kSpare | kState | kHasPolicy), kSpare | kFree);
}

TEST(RestlessField, IsReplacedOrLeftAfterSoManyTries) {
    uint64_t field = 0;
    unsigned looks = 0;
    const auto in_between = [&](uint64_t) {
        ++field;
        return ++looks <= kTriesMax;
    };
    EXPECT_FALSE(replace_if(field, uint64_t{99}, 8, in_between));
    EXPECT_EQ(looks, 8U);
    EXPECT_EQ(field, 8U) << "the others' word stays";
    const auto rests = [](uint64_t seen) { return seen < 99; };
    EXPECT_TRUE(replace_if(field, uint64_t{99}, 8, rests));
    EXPECT_EQ(field, 99U);
    EXPECT_FALSE(replace_if(field, uint64_t{98}, 8, rests)) << "it is there already";
}

// The same with a thread that writes whatever it likes into the words of the first slots.
TEST(RestlessSegment, GivesEachThreadASlot) {
    constexpr unsigned kLives = 20'000;
    constexpr unsigned kRestless = 4;
    std::atomic<bool> over{false};
    std::thread hostile([&over] {
        std::minstd_rand random(1);
        while (!over.load(std::memory_order_relaxed)) {
            for (unsigned slot = 0; slot < kRestless; ++slot) {
                store(local.slots[slot].word, uint64_t{random()} << 32 | random());
            }
            store(local.header.slots_used, static_cast<uint32_t>(random()) % kRestless);
        }
    });
    unsigned slotless = 0;
    for (unsigned life = 0; life < kLives; ++life) {
        const int slot = claim_slot();
        if (slot == kNoSlot) {
            ++slotless;
        } else {
            release_slot(slot);
        }
    }
    over = true;
    hostile.join();
    EXPECT_EQ(slotless, 0U);
    for (unsigned slot = 0; slot < kRestless; ++slot) {
        store(local.slots[slot].word,
              next_generation(load(local.slots[slot].word)) & ~(kState | kSpare));
    }
}

}  // namespace
}  // namespace mpol::test

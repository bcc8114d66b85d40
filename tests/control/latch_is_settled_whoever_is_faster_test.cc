// SPDX-License-Identifier: Apache-2.0
// The word of a slot's latch has two writers: the thread that takes and leaves the slot, and
// whoever publishes. Each of the two goes on when the other was faster.
#include <gtest/gtest.h>

#include <functional>
#include <utility>

#include "control/latch.h"

namespace mpol::control {
namespace {

// One thread; somebody else comes before a change of the word.
struct Interrupted {
    using Cell = uint64_t;
    static inline std::function<void()> before_change;
    static inline uint64_t* restless = nullptr;  // Another word at each look.

    static uint64_t load(const Cell& cell) {
        if (restless != nullptr) ++*restless;
        return cell;
    }
    static void store(Cell& cell, uint64_t value) { cell = value; }
    static bool cas(Cell& cell, uint64_t& expected, uint64_t desired) {
        if (auto other = std::exchange(before_change, nullptr)) other();
        if (cell == expected) {
            cell = desired;
            return true;
        }
        expected = cell;
        return false;
    }
    static void clear(Cell& cell, uint64_t bits) {
        if (auto other = std::exchange(before_change, nullptr)) other();
        cell &= ~bits;
    }
};

struct Fixture {
    uint64_t word = next_generation(kLive | kHasPolicy);
    uint64_t home = 1;
    uint64_t spare = 2;
    Latch<Interrupted> latch{&word, &home, &spare, 1};
};

TEST(Latch, ThatNeverRestsIsGivenUp) {
    Fixture slot;
    uint64_t word = 0;
    uint64_t payload = 0;
    ASSERT_TRUE(latch_read(slot.latch, &payload, word));
    EXPECT_EQ(payload, 1U);
    Interrupted::restless = &slot.word;
    EXPECT_FALSE(latch_read(slot.latch, &payload, word));
    Interrupted::restless = nullptr;
}

TEST(Latch, IsSettledThoughItsThreadReleasesTheSlotMeanwhile) {
    Fixture slot;
    slot.word |= kSpare;
    Interrupted::before_change = [&] { slot_release<Interrupted>(slot.word); };
    latch_settle(slot.latch);
    EXPECT_EQ(slot.word & (kSpare | kState | kHasPolicy), kFree);
    EXPECT_EQ(generation(slot.word), 1U);
}

TEST(Latch, ThatSomebodyElseHasSettledIsLeftAlone) {
    Fixture slot;
    const uint64_t before = slot.word;
    latch_settle(slot.latch);
    EXPECT_EQ(slot.word, before);
}

TEST(Latch, KeepsASpareThatIsPublishedWhileItsThreadReleasesTheSlot) {
    Fixture slot;
    Interrupted::before_change = [&] { slot.word = next_generation(slot.word) | kSpare; };
    slot_release<Interrupted>(slot.word);
    EXPECT_EQ(slot.word & (kSpare | kState | kHasPolicy), kSpare | kFree);
    EXPECT_EQ(generation(slot.word), 2U);
}

}  // namespace
}  // namespace mpol::control

// SPDX-License-Identifier: Apache-2.0
// A writer that looked at an earlier life must fail its compare-and-swap, whatever came between.
#include <gtest/gtest.h>

#include <algorithm>

#include "control/slots.h"

namespace mpol::test {
namespace {

using namespace control;

constexpr int kLives = 10'000;

PolicyWords bind_to(unsigned node) {
    Policy policy;
    policy.mode = Mode::kBind;
    policy.nodes.set(node);
    return encode(policy, {MPOL_CTL_ORIGIN_INHERITED, 0, 0, 0});
}

TEST(SlotGeneration, GrowsWithEveryLife) {
    uint64_t last = 0;
    for (int life = 0; life < kLives; ++life) {
        const PolicyWords policy = bind_to(static_cast<unsigned>(life) % kMaxNodes);
        const bool own = life % 2 == 0;
        const int slot = claim_slot({.has_policy = own, .policy = policy});
        ASSERT_EQ(slot, 0) << "the lowest free slot";
        mpol_ctl_slot& row = local.slots[slot];
        const uint64_t word = load(row.word);
        EXPECT_EQ(word & kState, kLive);
        EXPECT_EQ((word & kHasPolicy) != 0, own);
        EXPECT_GT(generation(word), last);
        last = generation(word);

        PolicyWords seen;
        uint64_t seen_word = 0;
        ASSERT_TRUE(latch_read(slot_latch(local, 0), seen.words, seen_word));
        EXPECT_TRUE(!own || std::equal(seen.words, seen.words + kPolicyWords, policy.words));

        release_slot(slot);
        EXPECT_EQ(load(row.word) & kState, kFree);
        EXPECT_EQ(load(row.word) & kHasPolicy, 0U);
        EXPECT_EQ(generation(load(row.word)), last) << "the next life has a later one";

        // The stale writer.
        EXPECT_FALSE(latch_publish(slot_latch(local, 0), word, kHasPolicy, policy.words));
    }
}

TEST(SlotGeneration, SlotOfADeadWriterIsPassedOver) {
    const int slot = claim_slot();
    ASSERT_EQ(slot, 0);
    // A writer that died after its second step, then the thread leaves.
    uint64_t& word = local.slots[0].word;
    store(word, next_generation(word) | kSpare);
    release_slot(slot);
    EXPECT_EQ(claim_slot(), 1);
    release_slot(1);
    latch_finish(slot_latch(local, 0));
    EXPECT_EQ(claim_slot(), 0);
    release_slot(0);
}

}  // namespace
}  // namespace mpol::test

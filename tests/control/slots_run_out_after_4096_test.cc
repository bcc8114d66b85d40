// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <set>

#include "control/slots.h"

namespace mpol::test {
namespace {

using namespace control;

constexpr int kClaims = 10'000;

TEST(Slots, RunOutAfter4096) {
    std::set<int> claimed;
    int refused = 0;
    for (int i = 0; i < kClaims; ++i) {
        const int slot = claim_slot();
        if (slot == kNoSlot) {
            ++refused;
        } else {
            EXPECT_TRUE(claimed.insert(slot).second) << slot << " was given out twice";
        }
    }
    EXPECT_EQ(claimed.size(), MPOL_CTL_SLOTS);
    EXPECT_EQ(refused, kClaims - static_cast<int>(MPOL_CTL_SLOTS));
    EXPECT_EQ(*claimed.begin(), 0);
    EXPECT_EQ(*claimed.rbegin(), static_cast<int>(MPOL_CTL_SLOTS) - 1);
    EXPECT_EQ(load(local.header.slots_used), MPOL_CTL_SLOTS);

    // Said once, with a count.
    const mpol_ctl_error* row = local.errors;
    while (row->code != MPOL_CTL_ERROR_SLOTS) ASSERT_LT(++row, local.errors + MPOL_CTL_ERRORS);
    EXPECT_EQ(row->count, static_cast<uint64_t>(refused));

    for (const int slot : claimed) release_slot(slot);
    EXPECT_EQ(claim_slot(), 0);
    release_slot(0);
}

}  // namespace
}  // namespace mpol::test

// SPDX-License-Identifier: Apache-2.0
// However much is due at once, a turn ends in time, what is left is the next one's, and what is not
// due is nobody's yet.
#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "daemon/turn.h"

namespace mpol::daemon {
namespace {

constexpr int kDue = 100;
constexpr uint64_t kEachNs = kTurnNs / 8;
constexpr uint64_t kBeginNs = 1'000'000'000;

class Turns : public ::testing::Test {
  protected:
    Turns() {
        for (int i = 0; i < kDue; ++i) queue_.emplace(kBeginNs - kDue + i, i);
        queue_.emplace(kBeginNs + 1'000 * kTurnNs, kDue);
    }

    void take_turn() {
        do_what_is_due(
            queue_, [this] { return now_ns_; },
            [this](auto due) {
                done_.push_back(due.mapped());
                now_ns_ += kEachNs;
            });
    }

    std::multimap<uint64_t, int> queue_;
    std::vector<int> done_;
    uint64_t now_ns_ = kBeginNs;
};

TEST_F(Turns, EndInTime) {
    take_turn();
    EXPECT_EQ(now_ns_ - kBeginNs, kTurnNs);
    EXPECT_EQ(queue_.size(), kDue + 1 - done_.size());
}

TEST_F(Turns, GoOnWhereTheOneBeforeEnded) {
    for (int i = 0; i < kDue; ++i) take_turn();
    ASSERT_EQ(done_.size(), size_t{kDue});
    for (int i = 0; i < kDue; ++i) EXPECT_EQ(done_[static_cast<size_t>(i)], i);
    EXPECT_EQ(queue_.size(), 1U);
}

// What puts itself back is not looked at without end.
TEST_F(Turns, EndWithWhatPutsItselfBack) {
    do_what_is_due(
        queue_, [this] { return now_ns_; },
        [this](auto due) {
            now_ns_ += kEachNs;
            done_.push_back(due.mapped());
            if (done_.size() < size_t{kDue} * 10) queue_.insert(std::move(due));
        });
    EXPECT_EQ(now_ns_ - kBeginNs, kTurnNs);
    EXPECT_EQ(queue_.size(), size_t{kDue} + 1);
}

}  // namespace
}  // namespace mpol::daemon

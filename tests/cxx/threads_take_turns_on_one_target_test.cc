// SPDX-License-Identifier: Apache-2.0
// Threads that write through one target share its lock on the segment, which keeps none of them
// out: their turns are libmpol's.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <iterator>
#include <mpol/mpol.hpp>
#include <thread>
#include <vector>

#include "live_target.h"

namespace mpol::test {
namespace {

constexpr unsigned kThreads = 8;
constexpr unsigned kWrites = 1'000;
constexpr std::chrono::milliseconds kNoWait{0};
const Policy kPolicies[] = {
    Policy(Mode::kBind, NodeMask(1)), Policy(Mode::kInterleave, NodeMask(1)),
    Policy(Mode::kPreferred, NodeMask(1)), Policy(Mode::kLocal, NodeMask(0))};

class SharedTarget : public LiveTarget {
  protected:
    // write(thread, which) from all threads at once; how often it failed.
    template <class Write>
    unsigned failures(Write write) {
        std::barrier begin(kThreads);
        std::atomic<unsigned> failed{0};
        std::vector<std::jthread> threads;
        for (unsigned thread = 0; thread < kThreads; ++thread) {
            threads.emplace_back([&, thread] {
                begin.arrive_and_wait();
                for (unsigned i = 0; i < kWrites; ++i) failed += !write(thread, i);
            });
        }
        threads.clear();
        return failed;
    }
};

TEST_F(SharedTarget, TakesEachWriteOfEachThread) {
    const uint64_t before = target_->read()->generation;
    std::atomic<unsigned> torn{0};
    EXPECT_EQ(failures([&](unsigned thread, unsigned) {
                  const Policy& policy = kPolicies[thread % std::size(kPolicies)];
                  const bool written = bool(target_->write(kProcess, policy, kNoWait));
                  const auto state = target_->read();
                  const bool whole = !state || std::count(std::begin(kPolicies),
                                                          std::end(kPolicies), *state->policy);
                  torn += !whole;
                  return written;
              }),
              0U);
    EXPECT_EQ(torn, 0U);
    EXPECT_EQ(target_->read()->generation, before + kThreads * kWrites);
    ASSERT_TRUE(target_->write(kProcess, kPolicies[0], kWait));
    EXPECT_EQ(subject_.policy_of_allocated(0, size_t{4} << 20), "bind:0");
}

TEST_F(SharedTarget, TakesWritesOfEveryScopeAtOnce) {
    const pid_t tid = subject_.tid(worker_);
    const uint64_t process = target_->read()->generation;
    const uint64_t own = target_->read(tid)->generation;
    EXPECT_EQ(
        failures([&](unsigned thread, unsigned i) {
            const Policy& policy = kPolicies[i % std::size(kPolicies)];
            switch (thread % 4) {
                case 0:
                    return bool(target_->write(kProcess, policy, kNoWait));
                case 1:
                    return bool(target_->write(tid, policy, kNoWait));
                case 2:
                    return bool(target_->write_kind(kProcess, Kind::kMmap, 0, policy, kNoWait));
                default:
                    return bool(target_->write_kind(tid, Kind::kStack, 0, policy, kNoWait));
            }
        }),
        0U);
    constexpr unsigned kOfEach = kThreads / 4 * kWrites;
    EXPECT_EQ(target_->read()->generation, process + kOfEach);
    EXPECT_EQ(target_->read(tid)->generation, own + kOfEach);
    EXPECT_EQ(target_->read_kind(kProcess, Kind::kMmap)->generation, kOfEach);
    EXPECT_EQ(target_->read_kind(tid, Kind::kStack)->generation, kOfEach);
}

}  // namespace
}  // namespace mpol::test

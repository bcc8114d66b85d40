// SPDX-License-Identifier: Apache-2.0
// Threads allocate and give back while another rewrites the policy: no chunk is left under another
// policy than the last.
#include <gtest/gtest.h>

#include <atomic>
#include <memory_resource>
#include <mpol/pmr.hpp>
#include <thread>
#include <vector>

#include "own_memory.h"

namespace mpol::test {
namespace {

using pmr::PolicyResource;

constexpr int kThreads = 4;
constexpr int kRewrites = 101;
constexpr size_t kHeld = 8;
constexpr size_t kBytes = size_t{1} << 16;

class SharedResource : public OwnMemory {
  protected:
    // Allocates, and gives back the oldest, until told to end: what it has by then.
    std::vector<void*> churn() {
        std::vector<void*> held;
        while (!ended_) {
            held.push_back(resource_.allocate(kBytes));
            *static_cast<char*>(held.back()) = 1;
            ++allocated_;
            allocated_.notify_one();
            if (held.size() <= kHeld) continue;
            resource_.deallocate(held.front(), kBytes);
            held.erase(held.begin());
        }
        return held;
    }

    PolicyResource resource_{kBind0};
    std::atomic<unsigned> allocated_ = 0;
    std::atomic<bool> ended_ = false;
};

TEST_F(SharedResource, HasOnePolicyWhenAllIsQuiet) {
    std::vector<void*> held[kThreads];
    std::vector<std::thread> threads;
    for (auto& own : held) threads.emplace_back([&] { own = churn(); });
    for (int i = 0; i < kRewrites; ++i) {
        // Not all the time: a mutex need not be fair.
        allocated_.wait(allocated_);
        EXPECT_TRUE(resource_.set_policy(i % 2 == 0 ? kPrefer0 : kBind0));
        EXPECT_FALSE(resource_.error());
    }
    ended_ = true;
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(resource_.policy(), kPrefer0);
    for (const auto& own : held) {
        EXPECT_LE(own.size(), kHeld + 1);
        for (void* const memory : own) {
            EXPECT_EQ(policy_at(memory), kPrefer0);
            resource_.deallocate(memory, kBytes);
        }
    }
}

}  // namespace
}  // namespace mpol::test

// SPDX-License-Identifier: Apache-2.0
// Slots pass from thread to thread while outsiders read them: an id must never come with another
// thread's policy.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "control/attach.h"
#include "control/slots.h"
#include "sys/sys.h"

namespace mpol::test {
namespace {

using namespace control;

constexpr int kReadsOfLiving = 100'000;
constexpr unsigned kNodes[] = {1, 2};

PolicyWords bind_to(unsigned node) {
    Policy policy;
    policy.mode = Mode::kBind;
    policy.nodes.set(node);
    return encode(policy, {MPOL_CTL_ORIGIN_INHERITED, 0, 0, 0});
}

// Comes and goes; its lives are told from the other thread's by the node.
void live_and_die(unsigned node, std::atomic<pid_t>& ret_tid, const std::atomic<bool>& done) {
    const PolicyWords policy = bind_to(node);
    ret_tid = sys::thread_id();
    while (!done.load(std::memory_order_relaxed)) {
        const int slot = claim_slot({.has_policy = true, .policy = policy});
        if (slot != kNoSlot) release_slot(slot);
    }
}

TEST(ThreadState, IsOfOneLife) {
    ASSERT_EQ(publish(), 0);
    const auto target = Target::attach(sys::process_id(), Access::kRead);
    ASSERT_TRUE(target.has_value()) << target.error().what;
    std::atomic<bool> done{false};
    std::atomic<pid_t> tids[2]{};
    std::thread threads[2];
    for (unsigned i = 0; i < 2; ++i) {
        threads[i] = std::thread([&, i] { live_and_die(kNodes[i], tids[i], done); });
    }
    while (tids[0] == 0 || tids[1] == 0) std::this_thread::yield();
    int living = 0;
    int mixed = 0;
    while (living < kReadsOfLiving) {
        const auto state = target->thread(0);
        if (!state || !state->asked.readable) continue;
        ++living;
        const unsigned owner = state->tid == tids[0] ? 0 : 1;
        if (state->tid != tids[owner] || !state->asked.set ||
            !state->asked.policy.nodes.test(kNodes[owner])) {
            ++mixed;
        }
    }
    done = true;
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(mixed, 0) << "of " << living;
}

}  // namespace
}  // namespace mpol::test

// SPDX-License-Identifier: Apache-2.0
// Slots are few (MPOL_CTL_SLOTS) and threads may be many, one after the other.
#include <gtest/gtest.h>
#include <pthread.h>

#include <cstdlib>

#include "workbench.h"

namespace mpol::test {
namespace {

constexpr int kThreads = 20'000;
constexpr int kAtOnce = 4;

void* allocate(void*) {
    call_allocator();
    return nullptr;
}

}  // namespace

SUBJECT(short_lived_threads) {
    for (int round = 0; round < kThreads / kAtOnce; ++round) {
        pthread_t threads[kAtOnce];
        for (pthread_t& thread : threads) {
            if (pthread_create(&thread, nullptr, allocate, nullptr) != 0) return 1;
        }
        for (const pthread_t thread : threads) pthread_join(thread, nullptr);
    }
    say("done");
    await_command();
    return 0;
}

TEST(Slots, AreReusedByLaterThreads) {
    Subject subject("short_lived_threads");
    subject.hear("done");
    // A joined thread has left; libc's own last steps may overlap with the next ones' first.
    EXPECT_LE(header_of(segment_bytes(subject.pid())).header.slots_used, 2U * kAtOnce + 1);
    EXPECT_EQ(subject.attach().threads().size(), 1U);
    EXPECT_EQ(subject.finish(), 0);
}

TEST(Slots, BringNothingOfTheirFormerThread) {
    Workbench bench;
    control::Target target = bench.attach();
    const unsigned first = bench.start_thread(0);
    const pid_t first_tid = bench.tid(first);
    const unsigned slot = target.slot_of(first_tid).value();
    set_thread(target, first_tid, bind_to({0}));
    bench.call(first);
    bench.end_thread(first);
    ASSERT_TRUE(eventually([&] { return !target.thread(slot).has_value(); }));

    const unsigned second = bench.start_thread(0);
    const pid_t second_tid = bench.tid(second);
    const auto state = target.thread(target.slot_of(second_tid).value());
    EXPECT_EQ(state->slot, slot);
    EXPECT_FALSE(state->asked.set);
    EXPECT_EQ(state->scope, 0U);
    EXPECT_EQ(task_policy(bench.pid(), second_tid), "default");
    EXPECT_EQ(policy_at(bench.pid(), bench.allocate(second, 1 << 20)), "default");
}

}  // namespace mpol::test

// SPDX-License-Identifier: Apache-2.0
// Growth, a thread's start, a thread's exit, and a policy set from outside: all wait for the holder,
// and all go on when he drops, without anything else having to happen.
#include <gtest/gtest.h>

#include <cstdlib>

#include "errand.h"
#include "mpol/notifier.h"
#include "subject.h"

namespace mpol::test {
namespace {

std::atomic<bool> started{false};

void* note_start(void*) {
    started = true;
    return nullptr;
}

// The creator waits for nobody: it is the new thread that takes a slot.
void start_thread() {
    pthread_t thread;
    if (::pthread_create(&thread, nullptr, note_start, nullptr) == 0) ::pthread_detach(thread);
}

bool starts_within(int ms) {
    for (int i = 0; i < ms && !started.load(); ++i) ::usleep(1000);
    return started.load();
}

}  // namespace

SUBJECT(holds_everything) {
    Errand growth([] { (void)volatile_malloc(kGrowthBytes); });
    Errand creator(start_thread);
    Errand leaver([] {});
    leaver.begin();
    if (!leaver.done_soon()) return 1;
    std::free(volatile_malloc(1));
    say("ready");
    (void)await_command();
    if (mpol_take_all_locks() != 0) return 1;
    growth.begin();
    creator.begin();
    leaver.dismiss();
    say("growth %d", growth.held_off());
    say("start %d", !starts_within(kHeldOffMs));
    say("held");
    (void)await_command();  // Meanwhile the test sets a policy.
    if (mpol_drop_all_locks() != 0) return 1;
    (void)await_command();  // This thread does nothing more: the helper must have been woken.
    say("growth %d", growth.done_soon());
    say("start %d", starts_within(kSoonMs));
    return 0;
}

TEST(HeldLocks, HoldEveryOperationOff) {
    Subject subject("holds_everything");
    subject.hear("ready");
    control::Target target = subject.attach();
    const size_t threads_before = target.threads().size();
    subject.tell('g');
    EXPECT_EQ(subject.hear("growth"), "1");
    EXPECT_EQ(subject.hear("start"), "1");
    subject.hear("held");
    // One new thread has no slot yet, and one that is leaving still has its own.
    EXPECT_EQ(target.threads().size(), threads_before);
    const uint64_t generation = set_process(target, bind_to({0}));
    EXPECT_FALSE(target.wait_process(generation, kHeldOffMs));
    subject.tell('g');
    EXPECT_TRUE(target.wait_process(generation, kWaitMs));
    EXPECT_TRUE(eventually([&] { return target.threads().size() == threads_before - 1; }));
    subject.tell('g');
    EXPECT_EQ(subject.hear("growth"), "1");
    EXPECT_EQ(subject.hear("start"), "1");
    EXPECT_EQ(subject.finish(), 0);
}

SUBJECT(holds_requests_off) {
    std::thread([] { call_allocator(); }).join();  // The helper runs from now on.
    Errand sleeper([] {});
    say("mapped %#lx", reinterpret_cast<unsigned long>(volatile_malloc(kGrowthBytes)));
    (void)await_command();
    if (mpol_take_all_locks() != 0) return 1;
    say("held");
    (void)await_command();
    if (mpol_drop_all_locks() != 0) return 1;
    (void)await_command();
    return 0;
}

TEST(HeldLocks, HoldSystemCallsOfOthersOff) {
    Subject subject("holds_requests_off");
    const uint64_t start = (subject.hear_number("mapped") + 4095) & ~uint64_t{4095};
    control::Target target = subject.attach();
    subject.tell('g');
    subject.hear("held");
    control::Request request;
    request.start = start;
    request.size = 1 << 20;
    const auto refused = target.ask(request, kHeldOffMs);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().err, ETIMEDOUT);
    std::thread dropper([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(kHeldOffMs));
        subject.tell('g');
    });
    const auto answer = target.ask(request, kWaitMs);
    dropper.join();
    ASSERT_TRUE(answer.has_value()) << answer.error().what;
    EXPECT_EQ(answer->result, 0);
    subject.tell('g');
    EXPECT_EQ(subject.finish(), 0);
}

}  // namespace mpol::test

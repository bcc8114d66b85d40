// SPDX-License-Identifier: Apache-2.0
// Growth, a thread's start, a thread's exit, a mapping and a stack that get their kind's policy,
// and a policy set from outside: all wait for the holder, and all go on when he drops, without
// anything else having to happen.
#include <gtest/gtest.h>
#include <sys/mman.h>

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

namespace {

std::atomic<bool> may_return{false};
void* volatile mapped_by_holder = nullptr;

void* map() {
    return ::mmap(nullptr, kGrowthBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                  0);
}

// In the thread that waits, as in any other.
void map_in_handler(int) {
    (void)map();
}

}  // namespace

SUBJECT(holds_mappings_off) {
    std::thread([] { call_allocator(); }).join();  // The helper runs from now on.
    Errand mapper([] { (void)map(); });
    Errand interrupted([] {
        while (!may_return.load()) ::usleep(1000);
    });
    struct sigaction action {};
    action.sa_handler = map_in_handler;
    ::sigaction(SIGUSR1, &action, nullptr);
    say("ready");
    (void)await_command();  // Meanwhile the test sets policies of both kinds.
    call_allocator();
    interrupted.begin();
    if (mpol_take_all_locks() != 0) return 1;
    mapped_by_holder = map();  // It waits for nobody.
    mapper.begin();
    interrupted.interrupt();
    may_return = true;
    say("mapping %d", mapper.held_off());
    say("handler %d", interrupted.held_off());
    if (mpol_drop_all_locks() != 0) return 1;
    say("mapping %d", mapper.done_soon());
    say("handler %d", interrupted.done_soon());
    say("mapped %#lx", reinterpret_cast<unsigned long>(mapped_by_holder));
    (void)await_command();
    return 0;
}

TEST(HeldLocks, HoldMappingsOffInSignalHandlersToo) {
    Subject subject("holds_mappings_off");
    subject.hear("ready");
    control::Target target = subject.attach();
    const auto generation =
        target.publish_kind({MPOL_CTL_KIND_MMAP, 0}, bind_to({0}), false, kWaitMs);
    ASSERT_TRUE(generation);
    ASSERT_TRUE(target.wait_kind(MPOL_CTL_KIND_MMAP, *generation, kWaitMs));
    subject.tell('g');
    EXPECT_EQ(subject.hear("mapping"), "1");
    EXPECT_EQ(subject.hear("handler"), "1");
    EXPECT_EQ(subject.hear("mapping"), "1");
    EXPECT_EQ(subject.hear("handler"), "1");
    EXPECT_EQ(policy_at(subject.pid(), subject.hear_number("mapped")), "bind:0");
    subject.tell('g');
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

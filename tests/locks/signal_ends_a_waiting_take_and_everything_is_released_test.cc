// SPDX-License-Identifier: Apache-2.0
// Where a take may sleep: at the mutex above all, while another thread holds everything; and at a
// gate, while an operation is in progress (here: its callback does not come back yet). The handler
// is installed with SA_RESTART.
#include <gtest/gtest.h>

#include <cerrno>
#include <cstdlib>

#include "errand.h"
#include "mpol/notifier.h"
#include "subject.h"

namespace mpol::test {
namespace {

std::atomic<bool> callback_entered{false};
std::atomic<bool> callback_may_leave{false};

// Of the size asked for: smaller ones are jemalloc's own, inside locks that everybody needs.
void stay_in_first_growth(void*, mpol_event event, void*, size_t size) {
    if (event != MPOL_EVENT_MAP || size < kGrowthBytes || callback_entered.exchange(true)) return;
    while (!callback_may_leave.load()) ::usleep(1000);
}

void grow() {
    (void)volatile_malloc(kGrowthBytes);
}

// Everything that a take holds off works again.
void say_what_works() {
    Errand growth(grow);
    Errand thread([] { std::thread(call_allocator).join(); });
    growth.begin();
    say("growth %d", growth.done_soon());
    thread.begin();
    say("thread %d", thread.done_soon());
    const char command = await_command();  // The test sees whether a policy gets applied.
    (void)command;
}

int taken = 0;

void interrupt_taker(Errand& taker) {
    taker.begin();
    say("waits %d", taker.held_off());
    taker.interrupt();
    (void)taker.done_soon();
    say("taken %d", taken);
}

}  // namespace

SUBJECT(interrupted_at_the_mutex) {
    catch_signal();
    Errand taker([] { taken = mpol_take_all_locks(); });
    say("ready");
    (void)await_command();
    if (mpol_take_all_locks() != 0) return 1;
    interrupt_taker(taker);
    (void)mpol_drop_all_locks();
    say_what_works();
    say("again %d", mpol_take_all_locks());
    (void)mpol_drop_all_locks();
    return 0;
}

SUBJECT(interrupted_at_a_gate) {
    catch_signal();
    const mpol_notifier_ops ops{stay_in_first_growth, nullptr};
    Errand taker([] { taken = mpol_take_all_locks(); });
    // Another arena than that of those who must be able to grow.
    unsigned arena = 0;
    size_t size = sizeof(arena);
    (void)preloaded_mallctl("arenas.create", &arena, &size, nullptr, 0);
    const int in_arena = static_cast<int>((arena + 1) << 20) | 1 << 8;  // MALLOCX_TCACHE_NONE
    Errand insider([in_arena] { (void)preloaded_mallocx(kGrowthBytes, in_arena); });
    if (mpol_notifier_register(&ops, nullptr) != 0) return 1;
    say("ready");
    (void)await_command();
    insider.begin();
    while (!callback_entered.load()) ::usleep(1000);
    interrupt_taker(taker);
    say_what_works();
    callback_may_leave = true;
    say("again %d", mpol_take_all_locks());
    (void)mpol_drop_all_locks();
    return 0;
}

namespace {

void expect_release(const char* name) {
    Subject subject(name);
    subject.hear("ready");
    control::Target target = subject.attach();
    subject.tell('g');
    EXPECT_EQ(subject.hear("waits"), "1");
    EXPECT_EQ(subject.hear("taken"), std::to_string(-EINTR));
    EXPECT_EQ(subject.hear("growth"), "1");
    EXPECT_EQ(subject.hear("thread"), "1");
    EXPECT_TRUE(target.wait_process(set_process(target, bind_to({0})), kWaitMs));
    subject.tell('g');
    EXPECT_EQ(subject.hear("again"), "0");
    EXPECT_EQ(subject.finish(), 0);
}

}  // namespace

TEST(InterruptedTake, ReleasesEverythingAtTheMutex) {
    expect_release("interrupted_at_the_mutex");
}
TEST(InterruptedTake, ReleasesEverythingAtAGate) {
    expect_release("interrupted_at_a_gate");
}

}  // namespace mpol::test

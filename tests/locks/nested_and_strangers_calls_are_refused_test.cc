// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cerrno>
#include <cstdlib>
#include <thread>

#include "errand.h"
#include "mpol/notifier.h"
#include "subject.h"

namespace mpol::test {
namespace {

int taken_in_callback = 0;
int registered_in_callback = 0;

void take_inside(void*, mpol_event, void*, size_t) {
    const mpol_notifier_ops other{};
    taken_in_callback = mpol_take_all_locks();
    registered_in_callback = mpol_notifier_register(&other, nullptr);
}

}  // namespace

SUBJECT(takes_and_drops_wrongly) {
    errno = 4711;
    say("dropped %d", mpol_drop_all_locks());
    say("taken %d", mpol_take_all_locks());
    say("nested %d", mpol_take_all_locks());
    say("dropped %d", mpol_drop_all_locks());
    int strangers = 0;
    {
        Errand stranger([&] { strangers = mpol_drop_all_locks(); });
        say("taken %d", mpol_take_all_locks());
        stranger.begin();
        (void)stranger.done_soon();
        say("dropped %d", mpol_drop_all_locks());
    }
    say("stranger %d", strangers);
    const mpol_notifier_ops ops{take_inside, nullptr};
    say("unknown %d", mpol_notifier_unregister(&ops, nullptr));
    say("nothing %d", mpol_notifier_register(nullptr, nullptr));
    say("registered %d", mpol_notifier_register(&ops, nullptr));
    (void)volatile_malloc(kGrowthBytes);
    say("inside %d %d", taken_in_callback, registered_in_callback);
    for (int i = 0; i < 15; ++i) (void)mpol_notifier_register(&ops, nullptr);
    say("seventeenth %d", mpol_notifier_register(&ops, nullptr));
    say("errno %d", errno);
    return 0;
}

TEST(Locks, AreNotNestedAndNotDroppedByStrangers) {
    Subject subject("takes_and_drops_wrongly");
    const std::string deadlock = std::to_string(-EDEADLK);
    const std::string permission = std::to_string(-EPERM);
    EXPECT_EQ(subject.hear("dropped"), permission);
    EXPECT_EQ(subject.hear("taken"), "0");
    EXPECT_EQ(subject.hear("nested"), deadlock);
    EXPECT_EQ(subject.hear("dropped"), "0");
    EXPECT_EQ(subject.hear("taken"), "0");
    EXPECT_EQ(subject.hear("dropped"), "0");
    EXPECT_EQ(subject.hear("stranger"), permission);
    EXPECT_EQ(subject.hear("unknown"), std::to_string(-ENOENT));
    EXPECT_EQ(subject.hear("nothing"), std::to_string(-EINVAL));
    EXPECT_EQ(subject.hear("registered"), "0");
    EXPECT_EQ(subject.hear("inside"), deadlock + " " + deadlock);
    EXPECT_EQ(subject.hear("seventeenth"), std::to_string(-ENOSPC));
    EXPECT_EQ(subject.hear("errno"), "4711");
    EXPECT_EQ(subject.finish(), 0);
}

}  // namespace mpol::test

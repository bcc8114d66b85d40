// SPDX-License-Identifier: Apache-2.0
// Fork is built on the same locks: it waits for another thread that holds them, and its child holds
// nothing. A holder must not fork; if it does, nothing hangs, and it holds them still.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>

#include "errand.h"
#include "mpol/notifier.h"
#include "subject.h"

namespace mpol::test {
namespace {

constexpr unsigned kChildSeconds = 30;

// What every operation of the child's own needs.
[[noreturn]] void work_in_child() {
    ::alarm(kChildSeconds);
    if (mpol_drop_all_locks() != -EPERM) ::_exit(1);
    if (volatile_malloc(kGrowthBytes) == nullptr) ::_exit(2);
    std::thread([] { std::free(volatile_malloc(100)); }).join();
    if (mpol_take_all_locks() != 0) ::_exit(3);
    if (mpol_drop_all_locks() != 0) ::_exit(4);
    ::_exit(0);
}

int fork_and_wait() {
    const pid_t child = ::fork();
    if (child == 0) work_in_child();
    int status = -1;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

}  // namespace

SUBJECT(forks_while_another_holds) {
    int status = -1;
    Errand forker([&] { status = fork_and_wait(); });
    if (mpol_take_all_locks() != 0) return 1;
    forker.begin();
    say("waits %d", forker.held_off());
    if (mpol_drop_all_locks() != 0) return 1;
    say("done %d", forker.done_soon());
    say("child %d", status);
    return 0;
}

TEST(Fork, WaitsForTheHolderAndItsChildIsFree) {
    Subject subject("forks_while_another_holds");
    EXPECT_EQ(subject.hear("waits"), "1");
    EXPECT_EQ(subject.hear("done"), "1");
    EXPECT_EQ(subject.hear("child"), "0");
    EXPECT_EQ(subject.finish(), 0);
}

SUBJECT(holder_forks) {
    Errand growth([] { (void)volatile_malloc(kGrowthBytes); });
    if (mpol_take_all_locks() != 0) return 1;
    growth.begin();
    (void)growth.held_off();  // It waits at a gate, inside jemalloc's locks.
    say("child %d", fork_and_wait());
    say("nested %d", mpol_take_all_locks());
    say("dropped %d", mpol_drop_all_locks());
    say("growth %d", growth.done_soon());
    return 0;
}

TEST(Fork, ByTheHolderHangsNowhere) {
    Subject subject("holder_forks");
    EXPECT_EQ(subject.hear("child"), "0");
    EXPECT_EQ(subject.hear("nested"), std::to_string(-EDEADLK));
    EXPECT_EQ(subject.hear("dropped"), "0");
    EXPECT_EQ(subject.hear("growth"), "1");
    EXPECT_EQ(subject.finish(), 0);
}

}  // namespace mpol::test

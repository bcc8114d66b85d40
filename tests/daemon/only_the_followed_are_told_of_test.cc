// SPDX-License-Identifier: Apache-2.0
// Whoever is not followed wakes nobody: neither his end nor his new name is recorded, and those of
// the followed are.
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vector>

#include "process_events_test.h"

namespace mpol::daemon {
namespace {

// A child that takes a name and ends, once it is told to.
class Child {
  public:
    Child() {
        if (::pipe(gate_) != 0) return;
        pid_ = ::fork();
        if (pid_ != 0) return;
        char go = 0;
        ::close(gate_[1]);
        (void)!::read(gate_[0], &go, 1);
        ::prctl(PR_SET_NAME, "another name");
        ::_exit(0);
    }
    [[nodiscard]] pid_t pid() const { return pid_; }
    bool run() {
        if (::write(gate_[1], "", 1) != 1) return false;
        ::close(gate_[0]);
        ::close(gate_[1]);
        return ::waitpid(pid_, nullptr, 0) == pid_;
    }

  private:
    int gate_[2]{-1, -1};
    pid_t pid_ = -1;
};

class FollowedTest : public EventsTest {
  protected:
    FollowedTest() : EventsTest({.followed_only = true}) {}

    std::vector<ProcessEventKind> kinds_of(pid_t pid) {
        std::vector<ProcessEventKind> kinds;
        for (const ProcessEvent& event : seen_[pid]) kinds.push_back(event.kind);
        return kinds;
    }
};

using Kinds = std::vector<ProcessEventKind>;

TEST_F(FollowedTest, HearsOfTheFollowedOnly) {
    Child stranger;
    Child followed;
    Child followed_before;
    events_->follow(followed_before.pid(), true);
    events_->follow(followed_before.pid(), false);
    events_->follow(followed.pid(), true);
    ASSERT_TRUE(stranger.run());
    ASSERT_TRUE(followed_before.run());
    ASSERT_TRUE(followed.run());
    ASSERT_TRUE(wait_for_exit(followed.pid()));
    EXPECT_EQ(kinds_of(followed.pid()),
              (Kinds{ProcessEventKind::kRename, ProcessEventKind::kExit}));
    EXPECT_EQ(kinds_of(stranger.pid()), Kinds{});
    EXPECT_EQ(kinds_of(followed_before.pid()), Kinds{});
}

TEST_F(FollowedTest, HearsOfTheChildrenOfTheFollowedOnly) {
    Child not_ours;
    events_->follow(::getpid(), true);
    Child ours;
    events_->follow(ours.pid(), true);
    ASSERT_TRUE(not_ours.run());
    ASSERT_TRUE(ours.run());
    ASSERT_TRUE(wait_for_exit(ours.pid()));
    EXPECT_EQ(kinds_of(ours.pid()),
              (Kinds{ProcessEventKind::kFork, ProcessEventKind::kRename, ProcessEventKind::kExit}));
    EXPECT_EQ(kinds_of(not_ours.pid()), Kinds{});
}

TEST_F(FollowedTest, PidsThatNoKernelGivesOutAreNobodys) {
    events_->follow(-1, true);
    events_->follow(0, true);
    events_->follow(1 << 22, true);
    Child stranger;
    Child followed;
    events_->follow(followed.pid(), true);
    ASSERT_TRUE(stranger.run());
    ASSERT_TRUE(followed.run());
    ASSERT_TRUE(wait_for_exit(followed.pid()));
    EXPECT_EQ(kinds_of(stranger.pid()), Kinds{});
}

}  // namespace
}  // namespace mpol::daemon

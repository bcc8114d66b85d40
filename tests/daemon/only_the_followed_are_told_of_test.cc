// SPDX-License-Identifier: Apache-2.0
// Whoever is not followed wakes nobody: neither his end nor his new name is recorded, and those of
// the followed are.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <optional>
#include <vector>

#include "daemon/process_events.h"

namespace mpol::daemon {
namespace {

constexpr int kPatienceMs = 10'000;

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

class FollowedTest : public ::testing::Test {
  protected:
    void SetUp() override {
        Wish wish;
        wish.followed_only = true;
        auto opened = ProcessEvents::open(
            [this](const ProcessEvent& event) { seen_[event.pid].push_back(event.kind); }, wish);
        if (!opened) {
            const control::Failure& failure = opened.error();
            if (failure.err == EPERM || failure.err == EACCES || failure.err == EINVAL) {
                GTEST_SKIP() << failure.what;
            }
            FAIL() << failure.what;
        }
        events_.emplace(std::move(*opened));
    }
    // Until the process's end was told: all that came before it has been, too.
    bool wait_for_exit(pid_t pid) {
        for (;;) {
            events_->dispatch();
            const auto& kinds = seen_[pid];
            if (!kinds.empty() && kinds.back() == ProcessEventKind::kExit) return true;
            pollfd waiting{events_->fd(), POLLIN, 0};
            if (::poll(&waiting, 1, kPatienceMs) != 1) return false;
        }
    }

    std::map<pid_t, std::vector<ProcessEventKind>> seen_;
    std::optional<ProcessEvents> events_;
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
    EXPECT_EQ(seen_[followed.pid()], (Kinds{ProcessEventKind::kRename, ProcessEventKind::kExit}));
    EXPECT_EQ(seen_[stranger.pid()], Kinds{});
    EXPECT_EQ(seen_[followed_before.pid()], Kinds{});
}

TEST_F(FollowedTest, HearsOfTheChildrenOfTheFollowedOnly) {
    Child not_ours;
    events_->follow(::getpid(), true);
    Child ours;
    events_->follow(ours.pid(), true);
    ASSERT_TRUE(not_ours.run());
    ASSERT_TRUE(ours.run());
    ASSERT_TRUE(wait_for_exit(ours.pid()));
    EXPECT_EQ(seen_[ours.pid()],
              (Kinds{ProcessEventKind::kFork, ProcessEventKind::kRename, ProcessEventKind::kExit}));
    EXPECT_EQ(seen_[not_ours.pid()], Kinds{});
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
    EXPECT_EQ(seen_[stranger.pid()], Kinds{});
}

}  // namespace
}  // namespace mpol::daemon

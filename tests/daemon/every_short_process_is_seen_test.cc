// SPDX-License-Identifier: Apache-2.0
// 2,000 processes that live as short as a process can: each is seen to begin, to have its program and to
// end, in this order. Needs privilege; without it the reason is told.
#include <gtest/gtest.h>
#include <poll.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "daemon/process_events.h"

extern char** environ;

namespace mpol::daemon {
namespace {

constexpr int kProcesses = 2000;
constexpr int kPatienceMs = 10'000;

pid_t spawn_true() {
    char path[] = "/bin/true";
    char* arguments[] = {path, nullptr};
    pid_t pid = -1;
    return ::posix_spawn(&pid, path, nullptr, nullptr, arguments, environ) == 0 ? pid : -1;
}

class ProcessEventsTest : public ::testing::Test {
  protected:
    void SetUp() override {
        auto opened = ProcessEvents::open(
            [this](const ProcessEvent& event) { seen_[event.pid].push_back(event); });
        if (!opened) {
            const control::Failure& failure = opened.error();
            if (failure.err == EPERM || failure.err == EACCES || failure.err == EINVAL) {
                GTEST_SKIP() << failure.what;
            }
            FAIL() << failure.what;
        }
        events_.emplace(std::move(*opened));
    }

    // Until the process's end was told.
    bool wait_for_exit(pid_t pid) {
        for (;;) {
            events_->dispatch();
            const std::vector<ProcessEvent>& of_pid = seen_[pid];
            if (!of_pid.empty() && of_pid.back().kind == ProcessEventKind::kExit) return true;
            pollfd waiting{events_->fd(), POLLIN, 0};
            if (::poll(&waiting, 1, kPatienceMs) != 1) return false;
        }
    }

    std::map<pid_t, std::vector<ProcessEvent>> seen_;
    std::optional<ProcessEvents> events_;
};

// Others on this machine may have had the pid before, and may have it after.
std::vector<ProcessEventKind> kinds_since_our_fork(const std::vector<ProcessEvent>& events) {
    const auto ours = std::find_if(events.begin(), events.end(), [](const ProcessEvent& event) {
        return event.kind == ProcessEventKind::kFork && event.parent == ::getpid();
    });
    std::vector<ProcessEventKind> kinds;
    for (auto event = ours; event != events.end(); ++event) {
        if (event->kind != ProcessEventKind::kRename) kinds.push_back(event->kind);
        if (event->kind == ProcessEventKind::kExit) break;
    }
    return kinds;
}

TEST_F(ProcessEventsTest, TellsForkExecAndExitOfEveryShortProcess) {
    std::vector<pid_t> pids;
    for (int i = 0; i < kProcesses; ++i) {
        const pid_t pid = spawn_true();
        ASSERT_GT(pid, 0);
        int status = 0;
        ASSERT_EQ(::waitpid(pid, &status, 0), pid);
        pids.push_back(pid);
        events_->dispatch();
    }
    ASSERT_TRUE(wait_for_exit(pids.back()));
    EXPECT_EQ(events_->lost(), 0U);
    for (const pid_t pid : pids) {
        EXPECT_EQ(kinds_since_our_fork(seen_[pid]),
                  (std::vector{ProcessEventKind::kFork, ProcessEventKind::kExec,
                               ProcessEventKind::kExit}))
            << pid;
    }
}

TEST_F(ProcessEventsTest, TellsANewNameAndWhoseThreadHasIt) {
    const pid_t child = ::fork();
    if (child == 0) {
        ::prctl(PR_SET_NAME, "new \x1b name");
        ::_exit(0);
    }
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    ASSERT_TRUE(wait_for_exit(child));
    bool told = false;
    for (const ProcessEvent& event : seen_[child]) {
        if (event.kind != ProcessEventKind::kRename) continue;
        EXPECT_EQ(event.comm, "new \x1b name");
        EXPECT_EQ(event.tid, child);
        told = true;
    }
    EXPECT_TRUE(told);
}

}  // namespace
}  // namespace mpol::daemon

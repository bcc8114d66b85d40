// SPDX-License-Identifier: Apache-2.0
// 2,000 processes that live as short as a process can: each is seen to begin, to have its program
// and to end, in this order. Needs privilege; without it the reason is told.
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "process_events_test.h"

extern char** environ;

namespace mpol::daemon {
namespace {

constexpr int kProcesses = 2000;

pid_t spawn_true() {
    char path[] = "/bin/true";
    char* arguments[] = {path, nullptr};
    pid_t pid = -1;
    return ::posix_spawn(&pid, path, nullptr, nullptr, arguments, environ) == 0 ? pid : -1;
}

using ProcessEventsTest = EventsTest;

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

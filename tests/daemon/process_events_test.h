// SPDX-License-Identifier: Apache-2.0
// A test that hears of process events, or is skipped with the reason why it can't.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>

#include <cerrno>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "daemon/process_events.h"

namespace mpol::daemon {

class EventsTest : public ::testing::Test {
  protected:
    explicit EventsTest(Wish wish = {}) : wish_(std::move(wish)) {}

    void SetUp() override {
        auto opened = ProcessEvents::open(
            [this](const ProcessEvent& event) { seen_[event.pid].push_back(event); }, wish_);
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
        constexpr int kPatienceMs = 10'000;
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

  private:
    Wish wish_;
};

}  // namespace mpol::daemon

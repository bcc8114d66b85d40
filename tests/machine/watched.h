// SPDX-License-Identifier: Apache-2.0
// A watch of the machine on a loop of the test's own, and what it has told.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdint>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/machine/machine_watch.h"

namespace mpol::daemon {

class Watched : public ::testing::Test {
  protected:
    static constexpr uint64_t kPatienceUs = 20'000'000;

    void SetUp() override {
        sd_event* loop = nullptr;
        ASSERT_GE(sd_event_new(&loop), 0);
        loop_.reset(loop);
        auto watch = MachineWatch::start(
            loop, [this](const MachineChange& change) { told_.push_back(change); });
        ASSERT_TRUE(watch) << watch.error().what;
        watch_.emplace(std::move(*watch));
    }

    // Runs the loop until a change of that kind is told.
    std::optional<MachineChange> wait_for(const std::function<bool(const MachineChange&)>& wanted) {
        for (;;) {
            while (heard_ < told_.size()) {
                const MachineChange& change = told_[heard_++];
                if (wanted(change)) return change;
            }
            if (sd_event_run(loop_.get(), kPatienceUs) <= 0) return std::nullopt;
        }
    }

    static bool write(const std::string& path, const std::string& text) {
        std::ofstream file(path);
        file << text << std::flush;
        return file.good();
    }

    EventLoop loop_;
    std::vector<MachineChange> told_;
    std::optional<MachineWatch> watch_;

  private:
    size_t heard_ = 0;
};

}  // namespace mpol::daemon

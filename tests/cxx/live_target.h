// SPDX-License-Identifier: Apache-2.0
// A preloaded process with a second thread, held open for writing.
#pragma once

#include <gtest/gtest.h>

#include <mpol/mpol.hpp>
#include <optional>

#include "preloaded.h"

namespace mpol::test {

class LiveTarget : public ::testing::Test {
  protected:
    void SetUp() override {
        worker_ = subject_.start_thread();
        auto target = Target::open(subject_.pid(), Access::kWrite);
        ASSERT_TRUE(target) << target.error().message();
        target_.emplace(*std::move(target));
    }
    void TearDown() override { EXPECT_EQ(subject_.finish(), 0); }

    Preloaded subject_;
    unsigned worker_ = 0;
    std::optional<Target> target_;
};

}  // namespace mpol::test

// SPDX-License-Identifier: Apache-2.0
// Three different things to do about it: start it with mpol run, ask for permission, look again.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/attach.h"

namespace mpol::test {
namespace {

using control::Access;
using control::Target;

TEST(ProcessWithoutSegment, IsNamed) {
    const auto target = Target::attach(::getpid(), Access::kRead);
    ASSERT_FALSE(target.has_value());
    EXPECT_EQ(target.error().err, ENODEV);
    EXPECT_EQ(target.error().what,
              fmt::format("process {} does not run under mpol's allocator", ::getpid()));
    EXPECT_EQ(target.error().hint, "start it with: mpol run -- COMMAND");
}

TEST(ProcessWithoutSegment, MayBeGone) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(0);
    ::waitpid(child, nullptr, 0);
    const auto target = Target::attach(child, Access::kRead);
    ASSERT_FALSE(target.has_value());
    EXPECT_EQ(target.error().err, ESRCH);
    EXPECT_EQ(target.error().what, fmt::format("no process {}", child));
}

}  // namespace
}  // namespace mpol::test

// SPDX-License-Identifier: Apache-2.0
// Segments that this process makes for itself, right but for what a test changes, and attaching to
// them as an outsider would.
#pragma once

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <functional>
#include <string>

#include "control/attach.h"
#include "right_header.h"

namespace mpol::test {

struct FakeSegment {
    mpol_ctl_header header = right_header();
    off_t size = sizeof(mpol_ctl);
    int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
};

// Attaches to this process while it holds the segment.
inline control::Result<control::Target> attach_to(const FakeSegment& segment) {
    const int fd = ::memfd_create(MPOL_CTL_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    EXPECT_EQ(::pwrite(fd, &segment.header, sizeof(segment.header), 0),
              static_cast<ssize_t>(sizeof(segment.header)));
    EXPECT_EQ(::ftruncate(fd, segment.size), 0);
    EXPECT_EQ(::fcntl(fd, F_ADD_SEALS, segment.seals), 0);
    auto target = control::Target::attach(::getpid(), control::Access::kRead);
    ::close(fd);
    return target;
}

inline void expect_refusal(const FakeSegment& segment, const std::string& complaint,
                           const std::string& hint =
                               "was it started with the same version of "
                               "mpol?") {
    const auto target = attach_to(segment);
    ASSERT_FALSE(target.has_value());
    EXPECT_EQ(target.error().err, EPROTO);
    EXPECT_EQ(
        target.error().what,
        fmt::format("the control segment of process {} is not usable: {}", ::getpid(), complaint));
    EXPECT_EQ(target.error().hint, hint);
}

}  // namespace mpol::test

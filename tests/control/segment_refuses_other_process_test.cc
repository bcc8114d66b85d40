// SPDX-License-Identifier: Apache-2.0
// A forked child shows its parent's segment until it has its own, and pids are used again.
#include "fake_segment.h"

namespace mpol::test {
namespace {

constexpr char kHint[] = "a forked process has its own from its first allocation on";

TEST(OtherProcess, IsRefusedByPid) {
    FakeSegment segment;
    segment.header.pid = static_cast<uint32_t>(::getppid());
    expect_refusal(segment, fmt::format("it belongs to process {} started at tick 0", ::getppid()),
                   kHint);
}

TEST(OtherProcess, IsRefusedByStartTime) {
    FakeSegment segment;
    segment.header.start_time = 1;
    expect_refusal(segment, fmt::format("it belongs to process {} started at tick 1", ::getpid()),
                   kHint);
}

}  // namespace
}  // namespace mpol::test

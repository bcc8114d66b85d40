// SPDX-License-Identifier: Apache-2.0
// What the refusals next door start from; without this they could all be refused for one reason.
#include "fake_segment.h"

namespace mpol::test {
namespace {

TEST(RightSegment, IsAttachedTo) {
    const auto target = attach_to({});
    ASSERT_TRUE(target.has_value()) << target.error().what;
    EXPECT_EQ(target->pid(), ::getpid());
    EXPECT_EQ(target->process().asked.generation, 1U);
    EXPECT_FALSE(target->process().asked.set);
}

TEST(RightSegment, IsFoundAmongWrongOnes) {
    const int wrong = ::memfd_create(MPOL_CTL_NAME, MFD_CLOEXEC);
    const int high = ::fcntl(wrong, F_DUPFD_CLOEXEC, 200);  // Met first: the highest number.
    EXPECT_TRUE(attach_to({}).has_value());
    ::close(high);
    ::close(wrong);
}

}  // namespace
}  // namespace mpol::test

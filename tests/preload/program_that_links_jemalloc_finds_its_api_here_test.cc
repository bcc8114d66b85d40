// SPDX-License-Identifier: Apache-2.0
// Two jemallocs in one process must not meet: whatever such a program calls is ours.
#include <gtest/gtest.h>

#include "subject.h"

namespace mpol::test {

TEST(LinkedJemalloc, IsReplacedAsAWhole) {
    Subject subject("", {.program = MPOL_LINKS_JEMALLOC});
    EXPECT_FALSE(subject.hear("version").empty());
    const uint64_t memory = subject.hear_number("arena");
    control::Target target = subject.attach();
    EXPECT_TRUE(in_regions(target, memory, 0)) << "an arena that the program made is the process's";
    set_process(target, bind_to({0}));
    subject.tell('\n');
    EXPECT_EQ(subject.finish(), 0);
}

}  // namespace mpol::test

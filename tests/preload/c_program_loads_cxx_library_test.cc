// SPDX-License-Identifier: Apache-2.0
// The C++ runtime comes with the library, in a namespace where dlsym(RTLD_DEFAULT) doesn't see it;
// its bad_alloc must still be the one that is thrown.
#include <gtest/gtest.h>

#include "subject.h"

namespace mpol::test {

TEST(Plugin, ThrowsAndCatchesBadAllocInItsOwnRuntime) {
    Subject subject("", {.arguments = {MPOL_CXX_PLUGIN}, .program = MPOL_C_PROGRAM});
    EXPECT_EQ(subject.hear(), "done");
    EXPECT_EQ(subject.finish(), 0);
}

TEST(Plugin, LoadsAndUnloadsManyTimes) {
    Subject subject("", {.arguments = {MPOL_CXX_PLUGIN, "300"}, .program = MPOL_C_PROGRAM});
    EXPECT_EQ(subject.hear(), "done");
    EXPECT_EQ(subject.finish(), 0);
}

}  // namespace mpol::test

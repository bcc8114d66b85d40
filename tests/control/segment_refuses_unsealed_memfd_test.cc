// SPDX-License-Identifier: Apache-2.0
// Its owner could truncate it under the reader.
#include "fake_segment.h"

namespace mpol::test {
namespace {

TEST(UnsealedMemfd, IsRefused) {
    for (const int seals : {0, F_SEAL_SHRINK, F_SEAL_GROW}) {
        expect_refusal({.seals = seals}, "it is not sealed against shrinking and growing");
    }
}

}  // namespace
}  // namespace mpol::test

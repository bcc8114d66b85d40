// SPDX-License-Identifier: Apache-2.0
// A memfd of the same name that is something else, or that its owner has not filled in.
#include "fake_segment.h"

namespace mpol::test {
namespace {

TEST(WrongMagic, IsRefused) {
    for (const uint64_t magic : {uint64_t{0}, MPOL_CTL_MAGIC + 1}) {
        FakeSegment segment;
        segment.header.magic = magic;
        expect_refusal(segment, "it does not begin with the segment's magic");
    }
}

}  // namespace
}  // namespace mpol::test

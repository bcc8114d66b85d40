// SPDX-License-Identifier: Apache-2.0
// Both versions are named, so that the user knows which half to update.
#include "fake_segment.h"

namespace mpol::test {
namespace {

TEST(OtherAbi, IsRefused) {
    for (const uint32_t abi : {0U, MPOL_CTL_ABI + 1}) {
        FakeSegment segment;
        segment.header.abi = abi;
        expect_refusal(segment, fmt::format("its ABI version is {}, and this mpol speaks {}", abi,
                                            MPOL_CTL_ABI));
    }
}

}  // namespace
}  // namespace mpol::test

// SPDX-License-Identifier: Apache-2.0
// Mapping more than the file holds would be a SIGBUS later.
#include "fake_segment.h"

namespace mpol::test {
namespace {

TEST(WrongSize, IsRefused) {
    for (const off_t size :
         {off_t{0}, off_t{4096}, off_t{sizeof(mpol_ctl)} - 1, off_t{sizeof(mpol_ctl)} + 4096}) {
        expect_refusal({.size = size},
                       fmt::format("its size is {} bytes, not {}", size, sizeof(mpol_ctl)));
    }
}

TEST(WrongSize, InTheHeaderIsRefused) {
    for (uint32_t mpol_ctl_header::*field :
         {&mpol_ctl_header::header_size, &mpol_ctl_header::slot_count, &mpol_ctl_header::slot_size,
          &mpol_ctl_header::region_count, &mpol_ctl_header::region_size}) {
        FakeSegment segment;
        segment.header.*field += 1;
        expect_refusal(segment, "its sizes are not those of its ABI version");
    }
    FakeSegment segment;
    segment.header.total_size -= 1;
    expect_refusal(segment, "its sizes are not those of its ABI version");
}

}  // namespace
}  // namespace mpol::test

// SPDX-License-Identifier: Apache-2.0
// The header of a segment of this process's, as its own library would fill it in.
#pragma once

#include <unistd.h>

#include "control/words.h"
#include "mpol/control.h"

namespace mpol::test {

inline mpol_ctl_header right_header() {
    mpol_ctl_header header{};
    header.magic = MPOL_CTL_MAGIC;
    header.abi = MPOL_CTL_ABI;
    header.header_size = sizeof(mpol_ctl_header);
    header.total_size = sizeof(mpol_ctl);
    header.slot_count = MPOL_CTL_SLOTS;
    header.slot_size = sizeof(mpol_ctl_slot);
    header.region_count = MPOL_CTL_REGIONS;
    header.region_size = sizeof(mpol_ctl_region);
    header.error_count = MPOL_CTL_ERRORS;
    header.error_size = sizeof(mpol_ctl_error);
    header.pid = static_cast<uint32_t>(::getpid());
    header.process_word = control::next_generation(control::kLive);
    return header;
}

}  // namespace mpol::test

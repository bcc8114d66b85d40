// SPDX-License-Identifier: Apache-2.0
// What a row of a kind asks for (struct mpol_ctl_kind), of the process's or of a thread's. The row
// is memory already. Never allocates; errno is preserved.
#pragma once

#include <cstdint>

#include "control/words.h"
#include "policy/policy.h"

namespace mpol::heap {

struct KindAsked {
    uint64_t word = 0;
    bool set = false;
    Policy policy{};
    uint64_t threshold = 0;  // bytes; of large
    bool keeps_cached = false;
};

// Without decoding the policy. False: keep what is in force.
[[nodiscard]] bool read_kind_row(const mpol_ctl_kind& row, const control::SharedLatch& latch,
                                 control::PolicyWords& ret_words, KindAsked& ret_asked);
[[nodiscard]] bool read_kind_asked(const mpol_ctl_kind& row, const control::SharedLatch& latch,
                                   KindAsked& ret_asked);

}  // namespace mpol::heap

// SPDX-License-Identifier: Apache-2.0
// Thread slots of the local segment: claimed by a thread for itself when it starts, released when
// it exits. Lock-free; never allocates; errno is preserved.
#pragma once

#include <cstdint>

#include "control/segment.h"

namespace mpol::control {

inline constexpr int kNoSlot = -1;

// A thread's own policies of the kinds; a threshold is of large allocations.
struct OwnKinds {
    uint32_t set = 0;  // bits
    PolicyWords policy[MPOL_CTL_KINDS];
    uint64_t threshold[MPOL_CTL_KINDS]{};
};

// Claims the lowest free slot for the calling thread. With a policy, and ones of kinds (of the
// creating thread), the slot opens with them. kNoSlot when all are taken: the thread then follows
// the process.
[[nodiscard]] int claim_slot(const PolicyWords* policy, const OwnKinds* kinds = nullptr);
void release_slot(int slot);

// After abandon(): no slot is taken.
void forget_slots();

}  // namespace mpol::control

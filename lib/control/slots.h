// SPDX-License-Identifier: Apache-2.0
// Thread slots of the local segment: claimed by a thread for itself when it starts, released when
// it exits. Lock-free; never allocates; errno is preserved.
#pragma once

#include <cstdint>

#include "control/saved.h"
#include "control/segment.h"

namespace mpol::control {

inline constexpr int kNoSlot = -1;

// A thread's own policies of the kinds; a threshold is of large allocations.
struct OwnKinds {
    uint32_t set = 0;  // bits
    PolicyWords policy[MPOL_CTL_KINDS];
    uint64_t threshold[MPOL_CTL_KINDS]{};
};

// Claims the lowest free slot for the calling thread. It opens with the creating thread's policy,
// its policies of kinds, and what a daemon keeps of it (SavedRow::state NONE: nothing), where there
// are. ret_opened: the generation that the slot opened with; its word may be a writer's already.
// kNoSlot when all are taken: the thread then follows the process.
[[nodiscard]] int claim_slot(const PolicyWords* policy, const OwnKinds* kinds = nullptr,
                             const SavedRow* saved = nullptr, uint64_t* ret_opened = nullptr);
void release_slot(int slot);

// After abandon(): no slot is taken.
void forget_slots();

}  // namespace mpol::control

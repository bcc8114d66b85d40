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

// What a thread begins with: its creator's own policies, and what a daemon keeps of them (state
// NONE: nothing). cleared: mpol_ctl_header.cleared, read before them.
struct Heritage {
    bool has_policy = false;
    PolicyWords policy{};
    OwnKinds kinds{};
    SavedRow saved{};
    uint32_t cleared = 0;
};

// Claims the lowest free slot for the calling thread, which opens with what it inherits; that is
// given up at once where all threads' own policies have been taken away since it was read, and what
// a daemon has set of it where that has been undone: it then opens with what was before.
// ret_opened: the generation that the slot opened with; its word may be a writer's already. kNoSlot
// when all are taken: the thread then follows the process.
[[nodiscard]] int claim_slot(const Heritage& from = {}, uint64_t* ret_opened = nullptr);
void release_slot(int slot);

// After abandon(): no slot is taken.
void forget_slots();

}  // namespace mpol::control

// SPDX-License-Identifier: Apache-2.0
#include "control/slots.h"

#include <algorithm>
#include <atomic>
#include <bit>

#include "sys/sys.h"

namespace mpol::control {
namespace {

constexpr unsigned kBitmapWords = MPOL_CTL_SLOTS / 64;
constexpr unsigned kSlotsInFirstPage = 4096 / sizeof(mpol_ctl_slot);

// What this process believes, out of reach of those who can write the segment.
constinit std::atomic<uint64_t> taken[kBitmapWords];

// Returns kNoSlot when bit is taken already.
bool take(unsigned slot) {
    const uint64_t bit = uint64_t{1} << (slot % 64);
    return (taken[slot / 64].fetch_or(bit, std::memory_order_acquire) & bit) == 0;
}

void give(unsigned slot) {
    taken[slot / 64].fetch_and(~(uint64_t{1} << (slot % 64)), std::memory_order_release);
}

bool usable(unsigned slot) {
    mpol_ctl_slot& row = local.slots[slot];
    if (slot >= kSlotsInFirstPage && slot >= load(local.header.slots_used) &&
        !back_rows(&row, sizeof(row))) {
        return false;
    }
    return slot_claim<SharedMemory>(row.word);
}

void raise_slots_used(unsigned slots) {
    uint32_t used = load(local.header.slots_used);
    while (used < slots &&
           !__atomic_compare_exchange_n(&local.header.slots_used, &used, slots, false,
                                        __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
    }
}

void open(unsigned slot, const PolicyWords* policy) {
    mpol_ctl_slot& row = local.slots[slot];
    store(row.tid, static_cast<uint32_t>(sys::thread_id()));
    store(row.scope, uint32_t{0});
    store(row.applied_errno, uint32_t{0});
    store(row.process_seen, uint64_t{0});
    if (policy != nullptr) {
        for (unsigned i = 0; i < kPolicyWords; ++i) store(row.policy[i], policy->words[i]);
    }
    const uint64_t opened = generation(next_generation(load(row.word)));
    store(row.applied, policy != nullptr ? uint64_t{0} : opened);
    store(row.task_applied, policy != nullptr ? uint64_t{0} : opened);
    slot_open<SharedMemory>(row.word, policy != nullptr ? kHasPolicy : 0);
    raise_slots_used(slot + 1);
}

}  // namespace

int claim_slot(const PolicyWords* policy) {
    for (unsigned word = 0; word < kBitmapWords; ++word) {
        for (uint64_t free = ~taken[word].load(std::memory_order_relaxed); free != 0;
             free &= free - 1) {
            const unsigned slot = word * 64 + static_cast<unsigned>(std::countr_zero(free));
            if (!take(slot)) continue;
            if (usable(slot)) {
                open(slot, policy);
                return static_cast<int>(slot);
            }
            give(slot);
        }
    }
    record_error(MPOL_CTL_ERROR_SLOTS, 0, static_cast<uint64_t>(sys::thread_id()));
    return kNoSlot;
}

void release_slot(int slot) {
    slot_release<SharedMemory>(local.slots[slot].word);
    give(static_cast<unsigned>(slot));
}

void forget_slots() {
    for (std::atomic<uint64_t>& word : taken) word.store(0, std::memory_order_relaxed);
}

}  // namespace mpol::control

// SPDX-License-Identifier: Apache-2.0
#include "control/slots.h"

#include <algorithm>
#include <atomic>
#include <bit>

#include "sys/fail_point.h"
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

// What a writer who looked at the slot's former life is about to publish in its own kinds' rows
// fails. Sequentially consistent with the claim before it: a writer announces the row, then looks
// whose the slot is (Target::publish_own_kind). False: a writer, perhaps dead, is still filling a
// row in.
bool renew_own_kinds(unsigned slot) {
    const uint32_t kinds = __atomic_load_n(&local.slots[slot].kinds, __ATOMIC_SEQ_CST);
    for (unsigned kind = 0; kind < MPOL_CTL_KINDS; ++kind) {
        if ((kinds >> kind & 1) == 0) continue;
        mpol_ctl_kind& row = local.own_kinds[kind][slot];
        uint64_t word = load(row.word);
        if ((word & kSpare) != 0 ||
            !SharedMemory::cas(row.word, word, next_generation(word & ~kHasPolicy))) {
            return false;
        }
        store(row.placed, uint32_t{0});
    }
    return true;
}

bool usable(unsigned slot) {
    mpol_ctl_slot& row = local.slots[slot];
    if (slot >= kSlotsInFirstPage && slot >= load(local.header.slots_used) &&
        !back_rows(&row, sizeof(row))) {
        return false;
    }
    (void)fail_point(sys::FailPoint::kSlotClaim);
    if (!slot_claim<SharedMemory>(row.word)) return false;
    if (renew_own_kinds(slot)) return true;
    slot_release<SharedMemory>(row.word);
    return false;
}

// A thread that comes in between raises it by one at least: whoever has met more of them than there
// are slots is mocked from outside, and lets it be.
void raise_slots_used(unsigned slots) {
    (void)replace_if(local.header.slots_used, uint32_t{slots}, slots,
                     [slots](uint32_t used) { return used < slots; });
}

// Words of latches as a slot opens; 0: not inherited.
struct Opened {
    uint64_t slot = 0;
    uint64_t kinds[MPOL_CTL_KINDS]{};
};

// No writer publishes here before the slot is open. Returns the row's word.
uint64_t fill_own_kind(unsigned kind, unsigned slot, const PolicyWords& policy,
                       uint64_t threshold) {
    mpol_ctl_kind& row = local.own_kinds[kind][slot];
    if (!back_rows(&row, sizeof(row))) return 0;
    store(local.slots[slot].kinds, load(local.slots[slot].kinds) | 1U << kind);
    const uint64_t word = next_generation(load(row.word)) | kHasPolicy;
    for (unsigned i = 0; i < kPolicyWords; ++i) store(row.policy[i], policy.words[i]);
    store(row.threshold[generation(word) % 2], threshold);
    SharedMemory::store(row.word, word);
    return word;
}

void fill_saved(unsigned slot, const SavedRow& saved, uint64_t opened) {
    if (saved.state == MPOL_CTL_SAVED_NONE || !saved_rows_usable(1 + slot)) return;
    write_saved(local.saved[1 + slot],
                inherited_row(saved, true, opened, load(local.slots[slot].tid)));
}

// The slot is open with what was inherited: either whoever takes all threads' own policies away has
// come upon it, or what he announced before is seen here.
bool is_cleared(uint32_t when) {
    // Changes nothing. Pairs with the addition in unset_threads.
    return __atomic_fetch_add(&local.header.cleared, 0, __ATOMIC_SEQ_CST) != when;
}

// So does all that daemons have set.
bool is_undone() {
    // Changes nothing. Pairs with the change in Target::undo.
    return (__atomic_fetch_or(&local.header.saved, 0, __ATOMIC_SEQ_CST) & MPOL_CTL_SAVED_UNDONE) !=
           0;
}

// What a writer has published since stays.
void give_up(unsigned slot, const Opened& opened) {
    const auto unset = [](uint64_t& word, uint64_t seen) {
        if ((seen & kHasPolicy) == 0) return;
        (void)SharedMemory::cas(word, seen, next_generation(seen & ~kHasPolicy));
    };
    for (unsigned kind = 0; kind < MPOL_CTL_KINDS; ++kind) {
        unset(local.own_kinds[kind][slot].word, opened.kinds[kind]);
    }
    unset(local.slots[slot].word, opened.slot);
}

// Nobody has come upon the open slot, so it is as if it never was. False: a writer has.
bool take_back(unsigned slot, const Opened& opened) {
    uint64_t word = opened.slot;
    if (!SharedMemory::cas(local.slots[slot].word, word, word & ~(kState | kHasPolicy))) {
        return false;
    }
    if (saved_rows_usable(1 + slot)) store(local.saved[1 + slot].word, MPOL_CTL_SAVED_NONE);
    return true;
}

bool is_daemons(const Heritage& from) {
    return from.has_policy && origin_kind(from.policy) == MPOL_CTL_ORIGIN_DAEMON;
}

// What the creator had before a daemon gave it its policy.
Heritage without_daemon(const Heritage& from) {
    Heritage before = from;
    before.has_policy = from.saved.state == MPOL_CTL_SAVED_HELD && from.saved.had_policy;
    before.policy = from.saved.policy;
    before.saved = {};
    return before;
}

// Returns the words that the slot opens with.
Opened open(unsigned slot, const Heritage& from) {
    mpol_ctl_slot& row = local.slots[slot];
    Opened opened;
    for (unsigned kind = 0; kind < MPOL_CTL_KINDS; ++kind) {
        if ((from.kinds.set >> kind & 1) == 0) continue;
        opened.kinds[kind] =
            fill_own_kind(kind, slot, from.kinds.policy[kind], from.kinds.threshold[kind]);
    }
    store(row.tid, static_cast<uint32_t>(sys::thread_id()));
    store(row.scope, uint32_t{0});
    store(row.applied_errno, uint32_t{0});
    store(row.process_seen, uint64_t{0});
    if (from.has_policy) {
        for (unsigned i = 0; i < kPolicyWords; ++i) store(row.policy[i], from.policy.words[i]);
    }
    const uint64_t first = generation(next_generation(load(row.word)));
    store(row.applied, from.has_policy ? uint64_t{0} : first);
    store(row.task_applied, from.has_policy ? uint64_t{0} : first);
    if (from.has_policy) fill_saved(slot, from.saved, first);
    (void)fail_point(sys::FailPoint::kSlotOpen);
    opened.slot = slot_open<SharedMemory>(row.word, from.has_policy ? kHasPolicy : 0);
    raise_slots_used(slot + 1);
    (void)fail_point(sys::FailPoint::kSlotOpened);
    const bool inherits = from.has_policy || from.kinds.set != 0;
    if (inherits && is_cleared(from.cleared)) give_up(slot, opened);
    return opened;
}

}  // namespace

int claim_slot(const Heritage& from, uint64_t* ret_opened) {
    for (unsigned word = 0; word < kBitmapWords; ++word) {
        for (uint64_t free = ~taken[word].load(std::memory_order_relaxed); free != 0;
             free &= free - 1) {
            const unsigned slot = word * 64 + static_cast<unsigned>(std::countr_zero(free));
            if (!take(slot)) continue;
            if (!usable(slot)) {
                give(slot);
                continue;
            }
            const Opened opened = open(slot, from);
            if (is_daemons(from) && is_undone() && take_back(slot, opened)) {
                give(slot);
                return claim_slot(without_daemon(from), ret_opened);
            }
            if (ret_opened != nullptr) *ret_opened = generation(opened.slot);
            return static_cast<int>(slot);
        }
    }
    record_error(MPOL_CTL_ERROR_SLOTS, 0, static_cast<uint64_t>(sys::thread_id()));
    return kNoSlot;
}

void release_slot(int slot) {
    (void)fail_point(sys::FailPoint::kSlotRelease);
    slot_release<SharedMemory>(local.slots[slot].word);
    give(static_cast<unsigned>(slot));
}

void forget_slots() {
    for (std::atomic<uint64_t>& word : taken) word.store(0, std::memory_order_relaxed);
}

}  // namespace mpol::control

// SPDX-License-Identifier: Apache-2.0
// Policies as the words of include/mpol/control.h, and the latches of a segment as Latch values.
// Pure; never allocates; async-signal-safe.
#pragma once

#include <atomic>
#include <cstdint>

#include "control/latch.h"
#include "mpol/control.h"
#include "policy/policy.h"
#include "policy/weights.h"
#include "sys/fail_point.h"

namespace mpol::control {

static_assert(kSpare == MPOL_CTL_WORD_SPARE && kHasPolicy == MPOL_CTL_WORD_HAS_POLICY);
static_assert(kState == MPOL_CTL_WORD_STATE && kClaiming == MPOL_CTL_WORD_CLAIMING);
static_assert(kFree == MPOL_CTL_WORD_FREE && kLive == MPOL_CTL_WORD_LIVE);
static_assert(kGenerationShift == MPOL_CTL_WORD_GENERATION_SHIFT);
static_assert(kNodeWords == MPOL_CTL_NODE_WORDS);
static_assert(kWeightedNodesMax == MPOL_CTL_WEIGHTED_NODES);
static_assert(static_cast<int>(WeightSource::kSystem) == MPOL_CTL_WEIGHTS_SYSTEM);
static_assert(static_cast<int>(WeightSource::kAuto) == MPOL_CTL_WEIGHTS_AUTO);

inline constexpr unsigned kPolicyWords = MPOL_CTL_POLICY_WORDS;

// Memory of latch.h over plain words of a mapped segment.
struct SharedMemory {
    using Cell = uint64_t;
    static uint64_t load(const Cell& cell) { return __atomic_load_n(&cell, __ATOMIC_ACQUIRE); }
    static void store(Cell& cell, uint64_t value) {
        (void)sys::fail_point(sys::FailPoint::kLatchStore);
        __atomic_store_n(&cell, value, __ATOMIC_RELEASE);
    }
    static bool cas(Cell& cell, uint64_t& expected, uint64_t desired) {
        (void)sys::fail_point(sys::FailPoint::kLatchStore);
        return __atomic_compare_exchange_n(&cell, &expected, desired, false, __ATOMIC_ACQ_REL,
                                           __ATOMIC_ACQUIRE);
    }
    static void clear(Cell& cell, uint64_t bits) {
        (void)sys::fail_point(sys::FailPoint::kLatchStore);
        __atomic_fetch_and(&cell, ~bits, __ATOMIC_ACQ_REL);
    }
};
using SharedLatch = Latch<SharedMemory>;

// The other fields of a segment, one atomic access each.
template <class T>
[[nodiscard]] T load(const T& field) {
    return __atomic_load_n(&field, __ATOMIC_ACQUIRE);
}
template <class T>
void store(T& field, T value) {
    __atomic_store_n(&field, value, __ATOMIC_RELEASE);
}
template <class T>
T add(T& field, T value) {
    return __atomic_fetch_add(&field, value, __ATOMIC_ACQ_REL);
}
// Stores value where a field is as wanted(field) says, looking again when it has changed meanwhile:
// tries times in all, since whoever may write the segment may change it without end. True: it was
// stored.
template <class T, class Wanted>
bool replace_if(T& field, T value, unsigned tries, Wanted wanted) {
    T seen = load(field);
    for (; tries > 0 && wanted(seen); --tries) {
        if (__atomic_compare_exchange_n(&field, &seen, value, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE)) {
            return true;
        }
    }
    return false;
}

// Who set a policy and when, and how it is to be applied.
struct Origin {
    mpol_ctl_origin kind = MPOL_CTL_ORIGIN_NONE;
    uint32_t uid = 0;
    uint32_t pid = 0;
    uint64_t time_ns = 0;  // CLOCK_REALTIME
    uint8_t apply = 0;     // MPOL_CTL_APPLY_*
};

struct PolicyWords {
    uint64_t words[kPolicyWords]{};
};

// Words of the payload that hold the weights, eight to a word.
inline constexpr unsigned kWeightWord = 3 + kNodeWords;
static_assert(kWeightWord + kWeightedNodesMax / 8 == kPolicyWords);

[[nodiscard]] inline PolicyWords encode(const Policy& policy, const Origin& origin) {
    PolicyWords out;
    out.words[0] = static_cast<uint64_t>(policy.mode) | static_cast<uint64_t>(origin.kind) << 8 |
                   static_cast<uint64_t>(policy.flags) << 16 |
                   static_cast<uint64_t>(static_cast<uint16_t>(policy.home_node)) << 32 |
                   static_cast<uint64_t>(policy.weight_source) << 48 |
                   static_cast<uint64_t>(origin.apply) << 56;
    out.words[1] = origin.uid | static_cast<uint64_t>(origin.pid) << 32;
    out.words[2] = origin.time_ns;
    for (unsigned i = 0; i < kNodeWords; ++i) out.words[3 + i] = policy.nodes.words[i];
    for (unsigned i = 0; i < kWeightedNodesMax; ++i) {
        out.words[kWeightWord + i / 8] |= static_cast<uint64_t>(policy.weights[i]) << (i % 8 * 8);
    }
    return out;
}

// False when the words are no policy: a mode, flag, origin, home node or source of weights out of
// range, or weights that make no sense.
[[nodiscard]] inline bool decode(const PolicyWords& in, Policy& ret_policy, Origin& ret_origin) {
    const auto mode = static_cast<uint8_t>(in.words[0]);
    const auto kind = static_cast<uint8_t>(in.words[0] >> 8);
    const auto flags = static_cast<uint16_t>(in.words[0] >> 16);
    const auto home = static_cast<int16_t>(in.words[0] >> 32);
    const auto source = static_cast<uint8_t>(in.words[0] >> 48);
    if (mode >= kModeCount || kind > MPOL_CTL_ORIGIN_DAEMON || (flags & ~kModeFlags) != 0) {
        return false;
    }
    if (home < kNoNode || home >= static_cast<int32_t>(kMaxNodes)) return false;
    if (source > MPOL_CTL_WEIGHTS_SYSTEM) return false;
    ret_policy.mode = static_cast<Mode>(mode);
    ret_policy.weight_source = static_cast<WeightSource>(source);
    ret_policy.flags = flags;
    ret_policy.home_node = home;
    for (unsigned i = 0; i < kNodeWords; ++i) ret_policy.nodes.words[i] = in.words[3 + i];
    for (unsigned i = 0; i < kWeightedNodesMax; ++i) {
        ret_policy.weights[i] = static_cast<uint8_t>(in.words[kWeightWord + i / 8] >> (i % 8 * 8));
    }
    if (!weights_make_sense(ret_policy)) return false;
    ret_origin.kind = static_cast<mpol_ctl_origin>(kind);
    ret_origin.uid = static_cast<uint32_t>(in.words[1]);
    ret_origin.pid = static_cast<uint32_t>(in.words[1] >> 32);
    ret_origin.time_ns = in.words[2];
    ret_origin.apply = static_cast<uint8_t>(in.words[0] >> 56);
    return true;
}

// Of a policy, or of the publication that takes one away.
[[nodiscard]] inline bool keeps_cached(const PolicyWords& in) {
    return (in.words[0] >> 56 & MPOL_CTL_APPLY_KEEP_CACHED) != 0;
}

[[nodiscard]] inline SharedLatch process_latch(mpol_ctl& segment) {
    return {&segment.header.process_word, segment.header.process_policy, segment.header.spare,
            kPolicyWords};
}
// Precondition: slot < MPOL_CTL_SLOTS.
[[nodiscard]] inline SharedLatch slot_latch(mpol_ctl& segment, unsigned slot) {
    return {&segment.slots[slot].word, segment.slots[slot].policy, segment.header.spare,
            kPolicyWords};
}
// Precondition: kind < MPOL_CTL_KINDS, and the kind rows are memory (header.kinds is not 0).
[[nodiscard]] inline SharedLatch kind_latch(mpol_ctl& segment, unsigned kind) {
    return {&segment.kinds[kind].word, segment.kinds[kind].policy, segment.header.spare,
            kPolicyWords};
}
// Whether the thread's own row of that kind is memory. Precondition: both are in range.
[[nodiscard]] inline bool has_own_row(const mpol_ctl& segment, unsigned kind, unsigned slot) {
    return (load(segment.slots[slot].kinds) >> kind & 1) != 0;
}
// Precondition: both are in range, and the row is memory.
[[nodiscard]] inline SharedLatch own_kind_latch(mpol_ctl& segment, unsigned kind, unsigned slot) {
    mpol_ctl_kind& row = segment.own_kinds[kind][slot];
    return {&row.word, row.policy, segment.header.spare, kPolicyWords};
}
inline constexpr uint64_t kFirstOwnKindOwner = 1 + MPOL_CTL_SLOTS + MPOL_CTL_KIND_ROWS;
[[nodiscard]] constexpr uint64_t own_kind_owner(unsigned kind, unsigned slot) {
    return kFirstOwnKindOwner + uint64_t{kind} * MPOL_CTL_SLOTS + slot;
}
// Latches that only the target writes, with a second copy of their own.
[[nodiscard]] inline SharedLatch effective_latch(mpol_ctl& segment) {
    return {&segment.header.effective_word, segment.header.effective[0],
            segment.header.effective[1], kNodeWords};
}
[[nodiscard]] inline SharedLatch allowed_latch(mpol_ctl& segment) {
    return {&segment.header.allowed_word, segment.header.allowed[0], segment.header.allowed[1],
            kNodeWords};
}

// The latch that header.spare_owner names: 0 the process, 1 + slot, then the kinds and the threads'
// own kinds. False: no such latch.
[[nodiscard]] inline bool owner_latch(mpol_ctl& segment, uint64_t owner, SharedLatch& ret_latch) {
    constexpr uint64_t kFirstKind = 1 + MPOL_CTL_SLOTS;
    if (owner >= kFirstOwnKindOwner) {
        const uint64_t row = owner - kFirstOwnKindOwner;
        if (row >= uint64_t{MPOL_CTL_KINDS} * MPOL_CTL_SLOTS) return false;
        const auto kind = static_cast<unsigned>(row / MPOL_CTL_SLOTS);
        const auto slot = static_cast<unsigned>(row % MPOL_CTL_SLOTS);
        if (!has_own_row(segment, kind, slot)) return false;
        ret_latch = own_kind_latch(segment, kind, slot);
        return true;
    }
    if (owner >= kFirstKind + MPOL_CTL_KINDS) return false;
    if (owner == 0) {
        ret_latch = process_latch(segment);
    } else if (owner < kFirstKind) {
        ret_latch = slot_latch(segment, static_cast<unsigned>(owner - 1));
    } else {
        ret_latch = kind_latch(segment, static_cast<unsigned>(owner - kFirstKind));
    }
    return true;
}

}  // namespace mpol::control

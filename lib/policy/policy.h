// SPDX-License-Identifier: Apache-2.0
// The policy value: what set_mempolicy(2), mbind(2) and set_mempolicy_home_node(2) take together.
// Trivially copyable; no allocation, no system call; async-signal-safe.
#pragma once

#include <cstdint>

#include "policy/nodemask.h"

namespace mpol {

// Values of linux include/uapi/linux/mempolicy.h. Spelled here because libc's and libnuma's
// headers of a build machine may lack the newer ones.
enum class Mode : uint8_t {
    kDefault = 0,
    kPreferred = 1,
    kBind = 2,
    kInterleave = 3,
    kLocal = 4,
    kPreferredMany = 5,
    kWeightedInterleave = 6,
};
inline constexpr unsigned kModeCount = 7;

// Mode flags, OR-ed into the mode word of the system calls.
inline constexpr uint16_t kStaticNodes = 1U << 15;
inline constexpr uint16_t kRelativeNodes = 1U << 14;
inline constexpr uint16_t kNumaBalancing = 1U << 13;
inline constexpr uint16_t kModeFlags = kStaticNodes | kRelativeNodes | kNumaBalancing;

inline constexpr int32_t kNoNode = -1;

// Where a weighted interleave's weights come from. Those of kAuto and kSystem were worked out when the
// policy was made; the weights beside it are what holds.
enum class WeightSource : uint8_t { kNone, kGiven, kAuto, kSystem };
// What a control segment's row has room for; a kernel's weight is one byte, 1 to 255.
inline constexpr unsigned kWeightedNodesMax = 40;

struct Policy {
    Mode mode = Mode::kDefault;
    WeightSource weight_source = WeightSource::kNone;  // not kNone: weighted interleave only
    uint16_t flags = 0;            // of kModeFlags
    int32_t home_node = kNoNode;   // bind and prefer (many) only; kNoNode: none
    NodeMask nodes{};              // as the user gave it; never the effective mask
    // Of the lowest node in nodes, the next, ...; all 0 where weight_source is kNone.
    uint8_t weights[kWeightedNodesMax]{};

    // The int that the system calls take.
    [[nodiscard]] constexpr int mode_word() const { return static_cast<int>(mode) | flags; }

    friend constexpr bool operator==(const Policy&, const Policy&) = default;
};

}  // namespace mpol

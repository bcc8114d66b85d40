// SPDX-License-Identifier: Apache-2.0
// The one table of names: parser, printer and error messages all read it, so they cannot disagree.
// Constant data only; usable inside the preloaded library.
#pragma once

#include <cstdint>

#include "policy/policy.h"

namespace mpol {

// Bound of the spellings of one mode; unused places are nullptr.
inline constexpr unsigned kSpellingsMax = 7;

struct ModeInfo {
    Mode mode;
    const char* kernel_name;     // policy_modes[] of linux mm/mempolicy.c: canonical, printed
    const char* since;           // first Linux release that has the mode
    const char* numactl_option;  // long option without the dashes, nullptr: none
    char numactl_letter;         // short option, 0: none
    // Lower case; kernel, numactl, systemd (NUMAPolicy=) and OCI runtime-spec (MPOL_*) spellings.
    const char* spellings[kSpellingsMax];
};

struct FlagInfo {
    uint16_t bit;
    const char* kernel_name;
    const char* uapi_name;  // lower case
    const char* since;
};

inline constexpr ModeInfo kModes[kModeCount] = {
    {Mode::kDefault, "default", "2.6.7", nullptr, 0, {"default", "mpol_default"}},
    {Mode::kPreferred,
     "prefer",
     "2.6.7",
     "preferred",
     'p',
     {"prefer", "preferred", "mpol_preferred"}},
    {Mode::kBind, "bind", "2.6.7", "membind", 'm', {"bind", "membind", "mpol_bind"}},
    {Mode::kInterleave,
     "interleave",
     "2.6.7",
     "interleave",
     'i',
     {"interleave", "mpol_interleave"}},
    {Mode::kLocal, "local", "3.8", "localalloc", 'l', {"local", "localalloc", "mpol_local"}},
    {Mode::kPreferredMany,
     "prefer (many)",
     "5.15",
     "preferred-many",
     'P',
     {"prefer (many)", "prefer(many)", "prefer-many", "prefer_many", "preferred-many",
      "preferred_many", "mpol_preferred_many"}},
    {Mode::kWeightedInterleave,
     "weighted interleave",
     "6.9",
     "weighted-interleave",
     'w',
     {"weighted interleave", "weighted-interleave", "weighted_interleave",
      "mpol_weighted_interleave"}},
};

// In the order in which the kernel prints them.
inline constexpr FlagInfo kFlags[] = {
    {kStaticNodes, "static", "mpol_f_static_nodes", "2.6.26"},
    {kRelativeNodes, "relative", "mpol_f_relative_nodes", "2.6.26"},
    {kNumaBalancing, "balancing", "mpol_f_numa_balancing", "5.12"},
};

// nullptr for a value that is no mode.
[[nodiscard]] constexpr const ModeInfo* mode_info(Mode mode) {
    const auto index = static_cast<unsigned>(mode);
    return index < kModeCount ? &kModes[index] : nullptr;
}

namespace detail {
constexpr bool table_is_indexed_by_mode() {
    for (unsigned index = 0; index < kModeCount; ++index) {
        if (static_cast<unsigned>(kModes[index].mode) != index) return false;
    }
    return true;
}
}  // namespace detail
static_assert(detail::table_is_indexed_by_mode());

}  // namespace mpol

// SPDX-License-Identifier: Apache-2.0
// What write(2) to a mempolicy file means. Pure.
//
// The kernel's text as parse_strict() reads it, with the two differences of the RFC's procfs file:
// the text ends at the first \n or \r, and prefer's list may have any form that names one node
// ("prefer: 0", "prefer:0,"), where the kernel's own parser wants bare digits.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "policy/policy.h"

namespace mpol::fs {

// The longest text of a policy is shorter.
inline constexpr size_t kWriteBytesMax = 4096;

// Empty: EINVAL. has_memory: the kernel's N_MEMORY.
[[nodiscard]] std::optional<Policy> parse_written(std::string_view text, const NodeMask& has_memory,
                                                  unsigned mode_count);

}  // namespace mpol::fs

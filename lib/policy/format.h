// SPDX-License-Identifier: Apache-2.0
// Writes policies in the kernel's text (linux mm/mempolicy.c: mpol_to_str; lists as "%*pbl").
// Allocation-free, no stdio, async-signal-safe: usable inside the preloaded library.
// All functions have snprintf's contract: they return the length of the whole text without its
// NUL, write at most size bytes, and terminate whenever size is not 0.
#pragma once

#include <cstddef>

#include "policy/policy.h"

namespace mpol {

// No text of a policy, nor of a node list, is longer than this with its NUL. The longest list
// of 1024 nodes is pairs ("100-101,103-104": 8 bytes for 3 nodes), below 2,800 bytes.
inline constexpr size_t kPolicyTextBytesMax = 4096;

// Ascending, ranges as a-b, commas, no blanks; the empty set is the empty text.
size_t format_nodes(const NodeMask& nodes, char* buf, size_t size);

// mode[=flag|flag][:nodes]. The kernel prints the effective nodes here, never the user's; the
// caller chooses. Not printed: nodes of LOCAL and DEFAULT, flags of DEFAULT, home nodes. A value
// that is no mode prints "unknown".
size_t format_policy(const Policy& policy, const NodeMask& nodes_to_print, char* buf, size_t size);

}  // namespace mpol

// SPDX-License-Identifier: Apache-2.0
// Copies of what is known of a process, and the texts that the files hold. Pure.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/attach.h"
#include "control/numa_maps.h"

namespace mpol::fs {

// Thread ids as the daemon's pid namespace knows them.
struct ProcessFacts {
    pid_t pid = 0;
    std::string comm;    // as the process chose it: not printable yet
    NodeMask allowed{};  // its cpuset's nodes that have memory
    control::ProcessState state;
    std::vector<control::ThreadState> threads;
    std::vector<control::ErrorState> errors;
    uint64_t counters[MPOL_CTL_COUNTERS]{};
};

// A region and the kernel's lines that begin in it.
struct RegionUse {
    control::RegionState region;
    std::string kernel_policy;  // empty: no line begins here
    std::map<unsigned, uint64_t> pages;
    uint64_t page_bytes = 0;
};

// --- The kernel's text, with effective nodes and a newline.

// Precondition: state.asked.set.
[[nodiscard]] std::string process_policy_text(const control::ProcessState& state,
                                              const NodeMask& allowed);
// Of any policy that contextualises to what it means; effective_text(p, {}) shows p.nodes.
[[nodiscard]] std::string effective_text(const Policy& policy, const NodeMask& allowed);

// --- status: "name:\tvalue" lines.

[[nodiscard]] std::string status_text(const ProcessFacts& facts);
// ASCII as it is; backslash and every other byte as \ooo, like the kernel's Name: line.
[[nodiscard]] std::string escaped(std::string_view text);

// --- numa_maps: "START POLICY scope=WHO reserved=BYTES carved=BYTES [NX=PAGES]...".

// By address.
[[nodiscard]] std::vector<RegionUse> region_uses(const std::vector<control::RegionState>& regions);
// Adds a line to the region it begins in, if any. Precondition: uses come from region_uses().
void count_line(const control::NumaMapsLine& line, std::vector<RegionUse>& uses);
[[nodiscard]] std::string numa_maps_text(const ProcessFacts& facts,
                                         const std::vector<RegionUse>& uses);

}  // namespace mpol::fs

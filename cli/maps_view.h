// SPDX-License-Identifier: Apache-2.0
// What mpol maps computes: a process's heap, region by region.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "control/attach.h"
#include "policy/policy.h"

namespace mpol::cli {

// Pages that are there. Of a sample these are estimates.
struct Residency {
    uint64_t bytes = 0;
    std::map<unsigned, uint64_t> bytes_by_node;
    std::optional<uint64_t> huge_bytes;  // empty: this kernel does not tell
    std::optional<uint64_t>
        misplaced_bytes;  // not where the policy wants them; empty: can't be told
    bool sampled = false;
    double standard_error_bytes = 0;  // of the least certain of the figures
};

struct RegionView {
    enum class Scope {
        kProcess,
        kThread,
        kLarge,  // large allocations, of the process or of a thread
        kWaiting
    };  // kWaiting: for the next thread that needs one

    control::RegionState state;
    Scope scope = Scope::kProcess;
    pid_t tid = 0;                    // kThread's, and kLarge's where it is a thread's
    std::optional<Policy> asked;      // empty: nothing, the kernel's default
    bool applied = true;              // what was asked for is what is bound
    int err = 0;                      // errno of the last application: the one before stays
    std::optional<Policy> effective;  // nodes are the effective ones; empty: the kernel's default
    bool effective_whole = true;      // false: its nodes are more than the segment can tell
    bool plausible = true;            // false: no region can be so; not counted
    std::optional<Residency> residency;
};

struct MapsView {
    pid_t pid = 0;
    std::string comm;  // as the kernel has it: not printable yet
    std::vector<RegionView> regions;
    std::optional<Residency> residency;  // of all regions
    uint64_t reserved_bytes = 0;
    uint64_t committed_bytes = 0;
    uint64_t carved_bytes = 0;
    uint64_t unmanaged_bytes = 0;  // of the heap outside all regions
    uint64_t pages = 0;            // that may be there
    uint64_t pages_looked_at = 0;
    std::string not_counted;  // why there is no residency, though it was asked for
};

}  // namespace mpol::cli

// SPDX-License-Identifier: Apache-2.0
// /proc/PID/numa_maps, numa(7): the only thing that the kernel tells of another process's policy.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string_view>

#include "cli/error.h"
#include "cli/values.h"

namespace mpol::cli {

struct NumaMapsLine {
    std::string_view policy;  // may contain blanks: "prefer (many):0-1"
    bool is_stack = false;
    uint64_t page_bytes = 0;
    std::map<unsigned, uint64_t> pages_by_node;
};

// Empty: not a line of numa_maps. Pure; what it does not know is passed over.
[[nodiscard]] std::optional<NumaMapsLine> parse_numa_maps_line(std::string_view line);

// Failure: EACCES not permitted, ENOTSUP a kernel without NUMA, ESRCH gone, ENODEV no memory.
[[nodiscard]] Result<NumaMaps> read_numa_maps(pid_t pid, std::optional<pid_t> tid);

}  // namespace mpol::cli

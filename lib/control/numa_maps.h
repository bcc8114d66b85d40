// SPDX-License-Identifier: Apache-2.0
// /proc/PID/numa_maps, proc(5): the kernel's own word on policies and pages, for any process that
// the caller may trace. Reading a line costs the kernel a walk over the mapping's pages.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "policy/policy.h"

namespace mpol::control {

// One line: "ADDRESS POLICY FIELD...". POLICY may hold blanks ("prefer (many):0-1").
struct NumaMapsLine {
    uint64_t start = 0;
    std::string policy;                  // the kernel's text
    std::map<unsigned, uint64_t> pages;  // by node, of page_bytes each
    uint64_t page_bytes = 4096;
    std::string rest;                    // FIELDs other than those
};
// Empty: not a line of that file.
[[nodiscard]] std::optional<NumaMapsLine> parse_numa_maps_line(std::string_view line);

// A policy as the printer writes it, flags joined by '|' included; its nodes are effective ones.
[[nodiscard]] std::optional<Policy> parse_printed_policy(std::string_view text);

// A thread's task policy, read off its first mapping (the program's text), which has none of its own.
[[nodiscard]] std::optional<Policy> kernel_task_policy(pid_t pid, pid_t tid);

}  // namespace mpol::control

// SPDX-License-Identifier: Apache-2.0
// Naming processes and threads, and what /proc says of them.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/error.h"
#include "cli/values.h"
#include "control/attach.h"

namespace mpol::cli {

struct TargetName {
    pid_t pid = 0;
    std::optional<pid_t> tid;
};

// "4242" or "4242/4250".
[[nodiscard]] Result<TargetName> parse_target(std::string_view text);

// What the kernel calls a process or thread; empty when it can't be read. Not printable yet.
[[nodiscard]] std::string comm_of(pid_t pid, std::optional<pid_t> tid = {});

// One letter of proc(5)'s stat: 'T' stopped, 't' traced; 0 when it can't be read.
[[nodiscard]] char state_of(pid_t pid);

// How long threads have to take a rewrite over before they are named: several times a scheduling
// period of a busy machine, and too short to be felt.
inline constexpr int kCatchUpMs = 100;

// Threads that have no policy of their own, and not yet the process's of that generation.
[[nodiscard]] std::vector<pid_t> threads_behind(const control::Target& target, uint64_t generation);

// A copy of all that the segment tells, thread ids as the caller knows them.
[[nodiscard]] ProcessView view_of(const control::Target& target, const NodeMask& has_memory);

}  // namespace mpol::cli

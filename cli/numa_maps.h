// SPDX-License-Identifier: Apache-2.0
// /proc/PID/numa_maps, numa(7): the only thing that the kernel tells of another process's policy.
#pragma once

#include <sys/types.h>

#include <optional>

#include "cli/error.h"
#include "cli/values.h"

namespace mpol::cli {

// Failure: EACCES not permitted, ENOTSUP a kernel without NUMA, ESRCH gone, ENODEV no memory.
[[nodiscard]] Result<NumaMaps> read_numa_maps(pid_t pid, std::optional<pid_t> tid);

}  // namespace mpol::cli

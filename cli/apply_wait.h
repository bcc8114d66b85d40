// SPDX-License-Identifier: Apache-2.0
// Waiting until what mpol rules apply had published is in force in the targets.
#pragma once

#include <cstdint>
#include <vector>

#include "cli/daemon_values.h"

namespace mpol::cli {

// All had it published before, so timeout_ms is for all of them together. since_ns: when it was
// asked for, CLOCK_MONOTONIC. Rows of processes and threads that have ended meanwhile are left out.
void wait_until_applied(std::vector<AppliedRow>& rows, uint64_t since_ns, int timeout_ms);

}  // namespace mpol::cli

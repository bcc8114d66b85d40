// SPDX-License-Identifier: Apache-2.0
// What the tests of this folder share: the policies that are written at random and told apart when
// they are read, and the watchdog's report.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "replay.h"
#include "subject.h"

namespace mpol::test {

// Above anything that a loaded machine needs for one step.
inline constexpr int kStuckMs = 60'000;

// Of MPOL_NAME, where it is set.
[[nodiscard]] unsigned number_from_environment(const char* name, unsigned otherwise);

// All of one node, no two alike.
[[nodiscard]] const std::vector<std::optional<Policy>>& chaos_policies();
// The number of what was read among them; empty: nothing that anybody wrote, a torn read.
[[nodiscard]] std::optional<unsigned> number_of(const control::Published& read);

// Where each thread of the process, and of its children, is.
void tell_stacks(pid_t pid);

}  // namespace mpol::test

// SPDX-License-Identifier: Apache-2.0
// The examinations of `mpol doctor`. Each reads, changes nothing, and adds what it finds.
#pragma once

#include <vector>

#include "cli/checkup.h"
#include "cli/machine.h"
#include "cli/values.h"

namespace mpol::cli {

using Findings = std::vector<Finding>;

void examine_machine(const Machine& machine, Findings& findings);

// What the kernel imposes on any process: cpuset, seccomp, limits.
void examine_surroundings(pid_t pid, const Machine& machine, Findings& findings);

// Why there is no control segment.
void examine_uncontrolled(pid_t pid, Findings& findings);

// What a process under control says of itself: policies in force, threads behind, errors.
void examine_controlled(const ProcessView& view, const Machine& machine, Findings& findings);

}  // namespace mpol::cli

// SPDX-License-Identifier: Apache-2.0
// A process under the preloaded library that could not make its control segment goes on with
// private memory in its place (segment.h), and records there what failed. This reads it, as a
// debugger would.
#pragma once

#include <sys/types.h>

#include <optional>

#include "control/attach.h"

namespace mpol::control {

// Why the process has no segment: an error of code MPOL_CTL_ERROR_SEGMENT. Empty: none is to be
// found, or the caller may not read the process's memory (ptrace(2), PTRACE_MODE_ATTACH).
[[nodiscard]] std::optional<ErrorState> why_unpublished(pid_t pid);

}  // namespace mpol::control

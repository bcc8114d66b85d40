// SPDX-License-Identifier: Apache-2.0
// Whether a preloaded allocator reaches a program, told from its file before it is executed.
// Reads files only; what it can't tell it keeps quiet about, since the program is run anyway.
#pragma once

#include <string>

#include "cli/error.h"

namespace mpol::cli {

// The file that execvp(3) would execute; empty: none found.
[[nodiscard]] std::string find_program(const std::string& name);

// The library to preload: what MPOL_PRELOAD names, else beside this program or where it is installed.
[[nodiscard]] Result<std::string> find_library();

// Why the allocator can't cover the program, or covers less than all of it, as the end of a
// sentence that begins with "'name'"; empty: it can.
[[nodiscard]] std::string coverage_note(const std::string& path);

}  // namespace mpol::cli

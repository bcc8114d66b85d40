// SPDX-License-Identifier: Apache-2.0
// Whether a preloaded allocator reaches a program, told from its file before it is executed.
// Reads files only; what it can't tell it keeps quiet about, since the program is run anyway.
#pragma once

#include <string>

namespace mpol::cli {

// The file that execvp(3) would execute; empty: none found.
[[nodiscard]] std::string find_program(const std::string& name);

// Why the allocator can't cover the program, or covers less than all of it, as the end of a
// sentence that begins with "'name'"; empty: it can.
[[nodiscard]] std::string coverage_note(const std::string& path);

}  // namespace mpol::cli

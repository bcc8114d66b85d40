// SPDX-License-Identifier: Apache-2.0
// Words of a command line to a verb and its arguments, by the table of verbs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/arguments.h"
#include "cli/error.h"
#include "cli/verbs.h"

namespace mpol::cli {

struct Invocation {
    const Verb* verb = nullptr;  // nullptr: none was named, or none that exists
    Arguments arguments;
    std::optional<Error> error;
};

// words: argv without the program's name. With an error, verb and arguments.json still tell how to
// report it.
[[nodiscard]] Invocation parse_command_line(const std::vector<std::string>& words);

}  // namespace mpol::cli

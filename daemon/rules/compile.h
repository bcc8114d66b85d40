// SPDX-License-Identifier: Apache-2.0
// Third stage: patterns and policies compiled, all files' rules in the order in which they are
// tried. Pure. `mpol rules check` runs the stages up to here.
#pragma once

#include <string>
#include <vector>

#include "daemon/rules/facts.h"
#include "daemon/rules/typed.h"

namespace mpol::rules {

// Of all files together: what a process is matched against has a bound, too.
inline constexpr size_t kPatternsMax = 4096;

struct CompiledRules {
    std::vector<Rule> rules;  // priority descending, then file order, then place
    FieldSet needs = 0;       // what has to be known of a process
};

// Compiles the patterns and policies of one file's rules in place.
void compile(std::vector<Rule>& rules, Report& report);

// All stages over all files, in the order given. With errors in ret_diagnostics the result is
// empty.
[[nodiscard]] CompiledRules compile_sources(const std::vector<Source>& sources,
                                            Diagnostics& ret_diagnostics);

}  // namespace mpol::rules

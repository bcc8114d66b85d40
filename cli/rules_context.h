// SPDX-License-Identifier: Apache-2.0
// Rules, machine and moment, read once for a verb; what they come to for one process.
#pragma once

#include <sys/types.h>

#include "cli/arguments.h"
#include "cli/error.h"
#include "cli/rules_values.h"
#include "daemon/rules/topology.h"

namespace mpol::cli {

struct RulesContext {
    RulesInForce rules;
    rules::Topology topology;
    rules::Moment now;
};

// From --rules, else from the default folder. Fails when a file is wrong: all that is wrong is in
// the error then.
[[nodiscard]] Result<RulesInForce> read_rules(const Arguments& arguments);
[[nodiscard]] Result<RulesContext> read_context(const Arguments& arguments);

// The sources compiled; diagnostics become the error.
[[nodiscard]] Result<rules::CompiledRules> compile_all(const std::vector<rules::Source>& sources);
[[nodiscard]] Result<std::vector<rules::Source>> read_path(const std::string& path);

// kNoTarget when there is no such process.
[[nodiscard]] Result<Explanation> explain_process(pid_t pid, const RulesContext& context);

// What a daemon would do now, once (apply_by_hand.cc). A row for each change, and for what could
// not be done. Fails when there is no such process, it is not under control, or not permitted.
[[nodiscard]] Result<std::vector<daemon::Applied>> apply_once(pid_t pid,
                                                              const RulesContext& context);

// A process's id; a thread's is refused.
[[nodiscard]] Result<pid_t> parse_process(std::string_view text);

}  // namespace mpol::cli

// SPDX-License-Identifier: Apache-2.0
// What the rules want of one process, now. Reads /proc; changes nothing.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/rule_set.h"
#include "daemon/rules/engine.h"
#include "daemon/rules/plan.h"

namespace mpol::daemon {

struct WantedScope {
    std::optional<rules::ThreadFact> thread;  // empty: the process
    Policy policy{};
    std::string text;
    bool migrate = false;
};

struct Wanted {
    std::string comm;
    std::shared_ptr<const RuleName> rule;  // nullptr: none matches
    std::vector<WantedScope> scopes;
    std::string problem;  // why a scope of the rule's can't have its policy here; or empty
    bool changes_by_itself = false;  // hangs on the process's age or size: nothing tells when
};

// Empty: there is no such process.
[[nodiscard]] std::optional<Wanted> wanted_of(pid_t pid, const RuleSet& rules,
                                              const rules::Topology& topology,
                                              const rules::Moment& now);

}  // namespace mpol::daemon

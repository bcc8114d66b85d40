// SPDX-License-Identifier: Apache-2.0
// What the verbs about rules compute, from the rule files and /proc, without a daemon.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "control/attach.h"
#include "daemon/api/service.h"
#include "daemon/rules/engine.h"
#include "daemon/rules/plan.h"

namespace mpol::cli {

// The rules that are in force, and where they come from.
struct RulesInForce {
    std::string from;                // a folder or a file
    bool there = true;               // false: the default folder does not exist
    std::vector<std::string> files;  // that were read
    rules::CompiledRules compiled;
};

// mpol rules check
struct RulesCheck {
    std::vector<std::string> from;
    bool there = true;  // false: the default folder does not exist
    size_t files = 0;
    size_t rules = 0;
};

// mpol rules list
struct RulesList {
    RulesInForce rules;
};

using rules::Planned;

struct ThreadPlan {
    rules::ThreadDecision decision;
    Planned planned;
};

// The policy that a process or thread has.
struct CurrentPolicy {
    bool controlled = false;  // under mpol's allocator: rules can change it
    std::optional<Policy> policy;
    control::Origin origin{};
};

// mpol rules test, and with more of it mpol explain
struct Explanation {
    bool brief = false;
    RulesInForce rules;
    rules::Facts facts;
    rules::FieldSet asked = 0;  // the facts that the rules ask for
    rules::Decision decision;
    std::optional<Planned> planned;  // of the winner, if it has a policy for the process
    std::vector<ThreadPlan> threads;
    NodeMask allowed;
    NodeMask near;
    CurrentPolicy current;
    std::optional<daemon::Account> account;  // of a daemon that has the process

    [[nodiscard]] const rules::Rule* winner() const {
        return decision.winner ? &rules.compiled.rules[*decision.winner] : nullptr;
    }
};

// mpol rules apply --dry-run
struct PlanRow {
    pid_t pid = 0;
    std::optional<pid_t> tid;
    std::string comm;
    rules::Rule rule;
    std::optional<Policy> from;  // empty: the kernel's default; of a thread: follows its process
    Planned to;
    bool migrate = false;

    // Weights and home node count too.
    [[nodiscard]] bool changes() const { return to && (!from || !(*from == to->policy)); }
};
struct Plan {
    std::vector<PlanRow> rows;
    size_t processes = 0;  // looked at
    size_t ignored = 0;    // a rule says to leave them alone
    size_t unmatched = 0;
};

}  // namespace mpol::cli

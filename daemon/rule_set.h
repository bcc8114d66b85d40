// SPDX-License-Identifier: Apache-2.0
// One reading of the rule files, as it is worked by. Values; stays whole while somebody works by
// it.
#pragma once

#include <memory>
#include <vector>

#include "daemon/api/service.h"
#include "daemon/rules/compile.h"

namespace mpol::daemon {

struct RuleSet {
    rules::CompiledRules compiled;
    std::vector<std::shared_ptr<const RuleName>> names;  // of compiled.rules, in their order
    bool scheduled = false;                              // some rule has a schedule
};

[[nodiscard]] RuleSet rule_set_of(rules::CompiledRules compiled);

}  // namespace mpol::daemon

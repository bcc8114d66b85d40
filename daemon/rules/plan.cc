// SPDX-License-Identifier: Apache-2.0
#include "daemon/rules/plan.h"

#include <ctime>

namespace mpol::rules {
namespace {

// The processes whose policies a rule's sets refer to.
void read_same_as(const PolicyTemplate& policy, TargetNodes& target) {
    if (!policy.nodes) return;
    for (const auto* const list : {&policy.nodes->with, &policy.nodes->without}) {
        for (const NodeItem& item : *list) {
            if (item.name != NodeName::kSameAs) continue;
            const auto pid = static_cast<pid_t>(item.number);
            if (const auto nodes = read_policy_nodes(pid)) target.same_as[pid] = *nodes;
        }
    }
}

}  // namespace

Planned plan(const Action& action, const Topology& topology, TargetNodes& target) {
    read_same_as(action.compiled, target);
    return resolve(action.compiled, topology, target);
}

Moment local_moment() {
    const std::time_t now = std::time(nullptr);
    std::tm local{};
    if (::localtime_r(&now, &local) == nullptr) return {};
    return {static_cast<unsigned>(local.tm_wday),
            static_cast<unsigned>(local.tm_hour * 60 + local.tm_min)};
}

}  // namespace mpol::rules

// SPDX-License-Identifier: Apache-2.0
// A policy's text whose nodes may be a symbolic set: checked once, turned into a policy for each
// process and again whenever the machine changes. Pure.
#pragma once

#include <optional>
#include <string>
#include <tl/expected.hpp>

#include "daemon/rules/nodes.h"
#include "policy/parse.h"

namespace mpol::rules {

struct PolicyTemplate {
    std::string text;              // as written
    std::optional<NodeSet> nodes;  // a symbolic one; empty: the text is a policy as it stands
};

// Checks what can be checked without a machine: everything but which nodes exist, and what stands
// in
// ";weights=", whose number depends on the nodes.
[[nodiscard]] tl::expected<PolicyTemplate, ParseError> compile_policy(std::string_view text);

struct Resolved {
    std::string text;  // with numbers in place of a symbolic set
    Policy policy{};
    NodeMask effective{};
    NodeMask dropped{};  // named, and the target's cpuset leaves them out
};

// A text, and what is wrong with it.
struct BadPolicy {
    std::string text;
    ParseError error;
};

[[nodiscard]] tl::expected<Resolved, BadPolicy> resolve(const PolicyTemplate& policy,
                                                        const Topology& topology,
                                                        const TargetNodes& target);

}  // namespace mpol::rules

// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include "cli/machine.h"
#include "cli/verbs.h"
#include "control/proc.h"

namespace mpol::cli {
namespace {

Result<Policy> read_strict(const std::string& text, const Machine& machine) {
    const ParseResult policy = parse_strict(text, machine.has_memory);
    if (!policy) return unparsed(text, policy.error());
    const Result<void> supported = check_supported(*policy, machine);
    if (!supported) return tl::unexpected(supported.error());
    return *policy;
}

}  // namespace

Result<Answer> explain_policy(const Arguments& arguments) {
    const Machine machine = read_machine();
    const NodeMask own = control::mems_allowed(::getpid()).value_or(machine.has_memory);
    const NodeMask allowed = own & machine.has_memory;
    const Result<Policy> policy =
        arguments.strict ? read_strict(arguments.policy, machine)
                         : read_policy(arguments.policy, machine, allowed, arguments.allow_absent);
    if (!policy) return tl::unexpected(policy.error());
    const Result<NodeMask> effective = effective_nodes(*policy, allowed, "this process");
    if (!effective) return tl::unexpected(effective.error());
    return Answer{Status::kOk, Meaning{*policy, *effective, allowed, arguments.verbose}};
}

}  // namespace mpol::cli

// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "cli/verbs.h"

namespace mpol::cli {
namespace {

constexpr std::string_view kPolicies =
    "Policies:\n"
    "  default                      the kernel's own choice\n"
    "  local                        the node of the CPU that asks\n"
    "  prefer:0                     node 0, elsewhere when it is full\n"
    "  prefer-many:0-1              nodes 0 and 1, elsewhere when they are full\n"
    "  bind:0-1                     only nodes 0 and 1; with ;home=1 node 1 first\n"
    "  interleave:0-3               page by page in turn; interleave:all\n"
    "  weighted-interleave:0-3      in turn, in proportion to the system's weights\n"
    "                               or one's own: ;weights=5,3,2,1 or auto or system\n"
    "  bind=static:0-1              flags after '=': static, relative, balancing\n"
    "  Nodes: 0,2  0-3  all  !2 (all but 2)  +0-1 (the first two usable ones)\n";

constexpr std::string_view kStatuses =
    "Exit status:\n"
    "  0 ok, 1 failed, 2 usage, 3 no such target, 4 not permitted, 6 not supported\n"
    "  by this kernel, 7 partly applied; of run: COMMAND's, or 125 mpol failed,\n"
    "  126 COMMAND can't be run, 127 COMMAND can't be found; of a migration that\n"
    "  signal N ended: 128 + N (Ctrl-C: 130)\n";

void add_options(std::string& out, std::span<const OptionInfo> options) {
    for (const OptionInfo& option : options) {
        const std::string left = option.metavar.empty()
                                     ? std::string(option.name)
                                     : fmt::format("{} {}", option.name, option.metavar);
        fmt::format_to(std::back_inserter(out), "  {:<16} {}\n", left, option.summary);
    }
}

std::string help_of_all() {
    std::string out =
        "Usage: mpol VERB [OPTION...] [OPERAND...]\n"
        "Reads and rewrites the NUMA memory policy of running programs.\n\nVerbs:\n";
    for (const Verb& verb : verbs()) {
        fmt::format_to(std::back_inserter(out), "  {:<16} {}\n", verb.name, verb.summary);
    }
    out += "\nOptions:\n";
    add_options(out, common_options());
    fmt::format_to(std::back_inserter(out), "\n{}\nExamples:\n", kPolicies);
    for (const Verb& verb : verbs()) {
        if (verb.examples.empty()) continue;
        const Example& first = verb.examples.front();
        fmt::format_to(std::back_inserter(out), "  {}\n      {}\n", first.command, first.meaning);
    }
    fmt::format_to(std::back_inserter(out), "\n{}", kStatuses);
    return out;
}

}  // namespace

std::string help(const Verb* verb) {
    if (verb == nullptr) return help_of_all();
    std::string out = fmt::format("Usage: mpol {} [OPTION...] {}\n{}\n\nOptions:\n", verb->name,
                                  verb->synopsis, verb->description);
    add_options(out, verb->options);
    add_options(out, common_options());
    const bool takes_policy =
        std::any_of(verb->operands.begin(), verb->operands.end(),
                    [](const OperandInfo& operand) { return operand.kind == Operand::kPolicy; });
    if (takes_policy) fmt::format_to(std::back_inserter(out), "\n{}", kPolicies);
    out += "\nExamples:\n";
    for (const Example& example : verb->examples) {
        fmt::format_to(std::back_inserter(out), "  {}\n      {}\n", example.command,
                       example.meaning);
    }
    fmt::format_to(std::back_inserter(out), "\n{}", kStatuses);
    return out;
}

}  // namespace mpol::cli

// SPDX-License-Identifier: Apache-2.0
// The only user of CLI11, whose header costs seconds to compile. CLI11 reads the options; operands
// are bound here, because CLI11 interprets brackets in them, and because a policy may be spelled
// with numactl's options.
#include "cli/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string_view>

#include "cli/words.h"
#include "policy/modes.h"

namespace mpol::cli {
namespace {

using Words = std::vector<std::string>;

std::string help_command(const Verb* verb) {
    return verb == nullptr ? "mpol --help" : fmt::format("mpol {} --help", verb->name);
}

bool takes(const Verb& verb, Operand kind) {
    return std::any_of(verb.operands.begin(), verb.operands.end(),
                       [&](const OperandInfo& operand) { return operand.kind == kind; });
}

// --interleave, --interleave=0-1, -i and their like.
bool is_numactl_word(std::string_view word) {
    if (word == "--balancing" || word == "-b") return true;
    for (const ModeInfo& info : kModes) {
        if (info.numactl_option == nullptr) continue;
        if (word.size() == 2 && word[0] == '-' && word[1] == info.numactl_letter) return true;
        const std::string_view name = word.substr(0, word.find('='));
        if (name.starts_with("--") && name.substr(2) == info.numactl_option) return true;
    }
    return false;
}

std::optional<Error> usage(const Verb* verb, std::string message) {
    return misused(std::move(message), help_command(verb)).value();
}

// The options among head; what is left of it, in order.
std::optional<Error> read_options(const Verb* verb, const Words& head, Arguments& arguments,
                                  Words& ret_rest) {
    CLI::App app;
    app.set_help_flag();
    app.allow_extras();
    const auto add = [&](const OptionInfo& option) {
        if (const auto* flag = std::get_if<bool Arguments::*>(&option.to)) {
            app.add_flag(std::string(option.name), arguments.*(*flag));
        } else if (const auto* text = std::get_if<std::string Arguments::*>(&option.to)) {
            app.add_option(std::string(option.name), arguments.*(*text));
        } else {
            app.add_option(std::string(option.name),
                           arguments.*std::get<int Arguments::*>(option.to))
                ->check(CLI::Range(0, kTimeoutMsMax));
        }
    };
    app.add_flag("-h", arguments.help);
    for (const OptionInfo& option : common_options()) add(option);
    if (verb != nullptr) {
        for (const OptionInfo& option : verb->options) add(option);
    }
    try {
        app.parse(Words(head.rbegin(), head.rend()));
    } catch (const CLI::ParseError& error) {
        return usage(verb, printable(error.what()));
    }
    ret_rest = app.remaining();
    return std::nullopt;
}

// Words before "--" that begin with a dash and are no option of ours.
std::optional<Error> refuse_options(const Verb& verb, const Words& rest) {
    for (const std::string& word : rest) {
        if (word.size() < 2 || word[0] != '-') continue;
        if (takes(verb, Operand::kPolicy) && is_numactl_word(word)) continue;
        return usage(&verb, fmt::format("unknown option {}", in_quotes(word)));
    }
    return std::nullopt;
}

std::string joined(Words::const_iterator from, Words::const_iterator to) {
    return fmt::format("{}", fmt::join(from, to, " "));
}

std::optional<Error> bind_operands(const Verb& verb, const Words& operands, Arguments& arguments) {
    auto next = operands.begin();
    for (const OperandInfo& operand : verb.operands) {
        const bool there =
            operand.kind == Operand::kCommand ? !arguments.command.empty() : next != operands.end();
        if (!there && operand.required) {
            const bool command = operand.kind == Operand::kCommand;
            return usage(&verb, fmt::format("{} is missing{}", operand.name,
                                            command ? ": it stands after --" : ""));
        }
        if (!there) continue;
        switch (operand.kind) {
            case Operand::kTarget:
                arguments.target = *next++;
                break;
            case Operand::kShell:
                arguments.shell = *next++;
                break;
            case Operand::kKind:
                arguments.kind = *next++;
                break;
            case Operand::kPaths:
                arguments.paths.assign(next, operands.end());
                next = operands.end();
                break;
            case Operand::kPolicy:
                arguments.policy = joined(next, operands.end());
                next = operands.end();
                break;
            case Operand::kCommand:
                break;
        }
    }
    if (next == operands.end()) return std::nullopt;
    return usage(&verb, fmt::format("{} is one operand too many", in_quotes(*next)));
}

// A policy of no words is different from an empty one.
std::optional<Error> refuse_empty_policy(const Verb& verb, const Words& operands,
                                         const Arguments& arguments) {
    const size_t before = takes(verb, Operand::kTarget) ? 1 : 0;
    if (!takes(verb, Operand::kPolicy) || operands.size() <= before) return std::nullopt;
    if (!arguments.policy.empty()) return std::nullopt;
    return usage(&verb, "POLICY is empty");
}

// The verb whose first word stands at name; takes its one or two words out of head.
std::optional<Error> find_named(Words& head, Words::iterator name, const Verb*& ret_verb) {
    ret_verb = find_verb(*name);
    if (ret_verb != nullptr) {
        head.erase(name);
        return std::nullopt;
    }
    const std::string seconds = second_words(*name);
    if (seconds.empty()) return usage(nullptr, fmt::format("no verb {}", in_quotes(*name)));
    const auto second = std::next(name);
    if (second != head.end()) ret_verb = find_verb(*name + " " + *second);
    if (ret_verb == nullptr && std::find(head.begin(), head.end(), "--help") != head.end()) {
        head.erase(name);  // help of mpol as a whole
        return std::nullopt;
    }
    if (ret_verb == nullptr) {
        return usage(nullptr, second == head.end()
                                  ? fmt::format("{} wants one of {}", *name, seconds)
                                  : fmt::format("{} wants one of {}, not {}", *name, seconds,
                                                in_quotes(*second)));
    }
    head.erase(name, std::next(second));
    return std::nullopt;
}

std::optional<Error> parse(const Words& words, Invocation& call) {
    const auto dashes = std::find(words.begin(), words.end(), "--");
    Words head(words.begin(), dashes);
    const Words tail(dashes == words.end() ? dashes : dashes + 1, words.end());
    // Whatever else is wrong, a program that asked for JSON gets JSON.
    call.arguments.json = std::find(head.begin(), head.end(), "--json") != head.end();
    const auto name = std::find_if(head.begin(), head.end(),
                                   [](const std::string& word) { return !word.starts_with('-'); });
    if (name != head.end()) {
        if (auto error = find_named(head, name, call.verb)) return error;
    }
    Words rest;
    if (auto error = read_options(call.verb, head, call.arguments, rest)) return error;
    if (call.arguments.help || call.arguments.version) return std::nullopt;
    if (call.verb == nullptr) {
        return usage(nullptr, rest.empty() ? "VERB is missing"
                                           : fmt::format("unknown option {}", in_quotes(rest[0])));
    }
    if (auto error = refuse_options(*call.verb, rest)) return error;
    Words& after = takes(*call.verb, Operand::kCommand) ? call.arguments.command : rest;
    after.insert(after.end(), tail.begin(), tail.end());
    if (auto error = bind_operands(*call.verb, rest, call.arguments)) return error;
    return refuse_empty_policy(*call.verb, rest, call.arguments);
}

}  // namespace

Invocation parse_command_line(const std::vector<std::string>& words) {
    Invocation call;
    call.error = parse(words, call);
    return call;
}

}  // namespace mpol::cli

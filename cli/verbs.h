// SPDX-License-Identifier: Apache-2.0
// The one table of verbs: parsing, help, completion and the manual page's synopsis all read it.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "cli/arguments.h"
#include "cli/error.h"
#include "cli/values.h"

namespace mpol::cli {

enum class Operand { kTarget, kPolicy, kKind, kShell, kPaths, kCommand };

struct OperandInfo {
    Operand kind;
    std::string_view name;
    bool required;
};

struct OptionInfo {
    std::string_view name;     // with its dashes
    std::string_view metavar;  // empty: a flag
    std::string_view summary;
    std::variant<bool Arguments::*, int Arguments::*, std::string Arguments::*> to;
};

struct Example {
    std::string_view command;
    std::string_view meaning;
};

struct Verb {
    std::string_view name;  // one word, or two
    std::string_view synopsis;
    std::string_view summary;
    std::string_view description;
    std::span<const OperandInfo> operands;
    std::span<const OptionInfo> options;
    std::span<const Example> examples;
    Result<Answer> (*run)(const Arguments&);
    bool launches = false;  // runs another program, so its own failures are 125 to 127
};

[[nodiscard]] std::span<const Verb> verbs();
[[nodiscard]] std::span<const OptionInfo> common_options();
// nullptr: no such verb.
[[nodiscard]] const Verb* find_verb(std::string_view name);
// "check, list" of the verbs of two words whose first is this; empty: there are none.
[[nodiscard]] std::string second_words(std::string_view first);

// verb nullptr: of mpol as a whole.
[[nodiscard]] std::string help(const Verb* verb);
[[nodiscard]] std::string bash_completion();
[[nodiscard]] std::string man_sections();

// Prints a value now, for a verb that has more than one. False: standard output fails.
[[nodiscard]] bool show(const Arguments& arguments, const Value& value);

// One translation unit each.
[[nodiscard]] Result<Answer> launch(const Arguments& arguments);
[[nodiscard]] Result<Answer> list(const Arguments& arguments);
[[nodiscard]] Result<Answer> get(const Arguments& arguments);
[[nodiscard]] Result<Answer> set(const Arguments& arguments);
[[nodiscard]] Result<Answer> unset(const Arguments& arguments);
[[nodiscard]] Result<Answer> maps(const Arguments& arguments);
[[nodiscard]] Result<Answer> migrate(const Arguments& arguments);
[[nodiscard]] Result<Answer> rules_check(const Arguments& arguments);
[[nodiscard]] Result<Answer> rules_list(const Arguments& arguments);
[[nodiscard]] Result<Answer> rules_test(const Arguments& arguments);
[[nodiscard]] Result<Answer> rules_apply(const Arguments& arguments);
[[nodiscard]] Result<Answer> explain(const Arguments& arguments);
[[nodiscard]] Result<Answer> explain_policy(const Arguments& arguments);
[[nodiscard]] Result<Answer> doctor(const Arguments& arguments);
[[nodiscard]] Result<Answer> rules_reload(const Arguments& arguments);
[[nodiscard]] Result<Answer> status(const Arguments& arguments);
[[nodiscard]] Result<Answer> undo(const Arguments& arguments);
[[nodiscard]] Result<Answer> log(const Arguments& arguments);
[[nodiscard]] Result<Answer> watch(const Arguments& arguments);
[[nodiscard]] Result<Answer> bench_machine(const Arguments& arguments);
[[nodiscard]] Result<Answer> completion(const Arguments& arguments);

}  // namespace mpol::cli

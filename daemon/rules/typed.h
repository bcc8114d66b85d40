// SPDX-License-Identifier: Apache-2.0
// Second stage: rules as values. Every key is known, every value has its type and range; patterns
// and policies are still text until compile() has been over them. docs/rules.md is the grammar.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "daemon/rules/pattern.h"
#include "daemon/rules/policy_template.h"
#include "daemon/rules/schedule.h"
#include "daemon/rules/source.h"
#include "daemon/rules/tree.h"

namespace mpol::rules {

// What a rule can ask of a process.
enum class Field : uint8_t {
    kComm,
    kExe,
    kArgv,
    kUser,
    kGroup,
    kCgroup,
    kUnit,
    kThread,
    kEnv,
    kResident,
    kAge,
};
inline constexpr unsigned kFieldCount = 11;
inline constexpr std::string_view kFieldNames[kFieldCount] = {
    "comm", "exe", "argv", "user", "group", "cgroup", "unit", "thread", "env", "resident", "age"};
[[nodiscard]] constexpr std::string_view field_name(Field field) {
    return kFieldNames[static_cast<unsigned>(field)];
}

// True when any pattern matches.
struct PatternTest {
    Field field{};
    std::vector<Pattern> any_of;
};
// A user or group: a name, or a number.
struct IdTest {
    Field field{};
    std::vector<std::variant<uint32_t, std::string>> any_of;
};
struct EnvTest {
    std::string name;
    bool set = true;              // without patterns: is it set, or not
    std::vector<Pattern> any_of;  // with patterns: its value
};
enum class Comparison : uint8_t { kLess, kLessOrEqual, kGreater, kGreaterOrEqual };
// Bytes of kResident, seconds of kAge.
struct NumberTest {
    Field field{};
    Comparison comparison{};
    uint64_t number = 0;
};

struct Predicate;
struct All {
    std::vector<Predicate> of;
};
struct Any {
    std::vector<Predicate> of;
};
struct Not {
    std::vector<Predicate> of;  // one
};
struct Predicate {
    Location at{};
    std::string text;  // as one would write it; empty of All, Any and Not
    std::variant<PatternTest, IdTest, EnvTest, NumberTest, All, Any, Not> is{};
};

// What a rule gives: a policy's text, and then what compile() made of it.
struct Action {
    Text policy;
    std::optional<Text> weights;  // becomes ";weights=" of the policy
    bool migrate = false;
    PolicyTemplate compiled{};
};

struct ThreadRule {
    Location at{};
    std::vector<Pattern> names;
    Action action;
};

struct Rule {
    std::string file;
    Location at{};
    std::string name;
    int priority = 0;
    Predicate match;
    bool ignore = false;           // matches, and leaves the process as it is
    std::optional<Action> action;  // of the process
    std::vector<ThreadRule> threads;
    std::vector<Window> schedule;  // empty: always
};

// Bounds of one file's rules; a person writes tens.
inline constexpr size_t kRulesMax = 1024;
inline constexpr int kPriorityMax = 1000;  // and -kPriorityMax

// All rules without an error; with errors in the report the result is good for finding more of
// them.
[[nodiscard]] std::vector<Rule> type_rules(const Source& source, const Table& tree, Report& report);

// Parts of type_rules().
[[nodiscard]] Predicate type_match(const Value& value, std::string_view key, Report& report);
[[nodiscard]] std::vector<Window> type_schedule(const Value& value, Report& report);

}  // namespace mpol::rules

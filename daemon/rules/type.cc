// SPDX-License-Identifier: Apache-2.0
// A file's rules, but for their matches and schedules.
#include <fmt/format.h>

#include <map>

#include "daemon/rules/typed.h"
#include "daemon/rules/typing.h"
#include "policy/word.h"

namespace mpol::rules {
namespace {

constexpr std::string_view kFileKeys[] = {"rule"};
constexpr std::string_view kRuleKeys[] = {"name",    "priority", "match",  "policy",  "weights",
                                          "migrate", "ignore",   "thread", "schedule"};
constexpr std::string_view kThreadKeys[] = {"name", "policy", "weights", "migrate"};
// A name fits into a table and a metric's label.
constexpr size_t kNameBytesMax = 64;
constexpr int64_t kWeightMax = 255;

constexpr const char* kWeightsAccepted =
    "\"auto\", \"system\", or numbers from 1 to 255, one for each node: [5, 3, 2, 1]";

// Each number is a kernel's weight.
bool are_weights(std::string_view list) {
    while (true) {
        const std::string_view one = list.substr(0, list.find(','));
        int64_t number = 0;
        for (const char c : one) {
            if (!is_digit(c) || number > kWeightMax) return false;
            number = number * 10 + (c - '0');
        }
        if (number < 1 || number > kWeightMax) return false;
        if (one.size() == list.size()) return true;
        list.remove_prefix(one.size() + 1);
    }
}

std::optional<Text> type_weights(const Value& value, Report& report) {
    Text out{{}, value.at, false};
    if (const Text* text = value.as<Text>()) {
        out.text = text->text;
    } else if (const Array* array = value.as<Array>()) {
        for (const Value& item : *array) {
            const auto* const number = item.as<int64_t>();
            out.text += (out.text.empty() ? "" : ",") + std::to_string(number ? *number : 0);
        }
    }
    if (out.text == "auto" || out.text == "system" || are_weights(out.text)) return out;
    report.error(value.at, "these are no weights", kWeightsAccepted);
    return std::nullopt;
}

// "policy", "weights" and "migrate", of a rule or of a thread rule; empty without a policy.
std::optional<Action> type_action(const Table& table, Report& report) {
    Action action;
    if (const Member* migrate = find(table, "migrate")) {
        action.migrate = want_bool(migrate->value, "migrate", report).value_or(false);
    }
    const Member* const weights = find(table, "weights");
    if (weights != nullptr) action.weights = type_weights(weights->value, report);
    if (const Member* policy = find(table, "policy")) {
        const Text* const text = want_text(policy->value, "policy", report);
        if (text != nullptr) action.policy = *text;
        return action;
    }
    for (const char* const key : {"weights", "migrate"}) {
        const Member* const member = find(table, key);
        if (member == nullptr) continue;
        report.error(member->key_at, fmt::format("'{}' without a policy", key), "policy = \"...\"");
    }
    return std::nullopt;
}

ThreadRule type_thread(const Value& value, Report& report) {
    ThreadRule rule{value.at, {}, {}};
    const Table* const table = want_table(value, "thread", report);
    if (table == nullptr) return rule;
    check_keys(*table, kThreadKeys, "a thread rule", report);
    if (const Member* name = find(*table, "name")) {
        // The same patterns as those of a match.
        const Value match{value.at, Table{{"thread", name->key_at, name->value}}};
        Predicate test = type_match(match, "name", report);
        if (auto* patterns = std::get_if<PatternTest>(&test.is)) rule.names = patterns->any_of;
    } else {
        report.error(value.at, "this thread rule has no name", "name = \"glob\"");
    }
    auto action = type_action(*table, report);
    if (action) {
        rule.action = std::move(*action);
    } else {
        report.error(value.at, "this thread rule has no policy", "policy = \"...\"");
    }
    return rule;
}

int type_priority(const Value& value, Report& report) {
    const auto* const number = value.as<int64_t>();
    if (number != nullptr && *number >= -kPriorityMax && *number <= kPriorityMax) {
        return static_cast<int>(*number);
    }
    report.error(value.at, "this is no priority",
                 fmt::format("an integer from {} to {}; more wins", -kPriorityMax, kPriorityMax));
    return 0;
}

void type_name(const Table& table, const Location& at, Rule& rule, Report& report) {
    const Member* const member = find(table, "name");
    if (member == nullptr) {
        report.error(at, "this rule has no name", "name = \"...\"");
        return;
    }
    const Text* const text = want_text(member->value, "name", report);
    if (text == nullptr) return;
    rule.name = text->text;
    if (rule.name.empty() || rule.name.size() > kNameBytesMax) {
        report.error(text->at, "this is no name for a rule",
                     fmt::format("1 to {} bytes", kNameBytesMax));
    }
}

// A rule does something, or says that nothing is to be done.
void type_effect(const Table& table, Rule& rule, Report& report) {
    if (const Member* ignore = find(table, "ignore")) {
        rule.ignore = want_bool(ignore->value, "ignore", report).value_or(false);
    }
    rule.action = type_action(table, report);
    if (const Member* thread = find(table, "thread")) {
        for (const Value& item : one_or_many(thread->value, "thread", report)) {
            rule.threads.push_back(type_thread(item, report));
        }
    }
    const bool acts = rule.action || !rule.threads.empty();
    if (acts == rule.ignore) {
        report.error(
            rule.at,
            acts ? "this rule has a policy and ignores what it matches" : "this rule does nothing",
            "policy = \"...\", a [[rule.thread]], or ignore = true");
    }
}

Rule type_rule(const Source& source, const Value& value, Report& report) {
    Rule rule;
    rule.file = source.path;
    rule.at = value.at;
    const Table* const table = want_table(value, "rule", report);
    if (table == nullptr) return rule;
    check_keys(*table, kRuleKeys, "a rule", report);
    type_name(*table, value.at, rule, report);
    if (const Member* priority = find(*table, "priority")) {
        rule.priority = type_priority(priority->value, report);
    }
    if (const Member* match = find(*table, "match")) {
        rule.match = type_match(match->value, "match", report);
    } else {
        report.error(value.at, "this rule has no match", "match = { ... }; {} is every process");
    }
    if (const Member* schedule = find(*table, "schedule")) {
        rule.schedule = type_schedule(schedule->value, report);
    }
    type_effect(*table, rule, report);
    return rule;
}

}  // namespace

std::vector<Rule> type_rules(const Source& source, const Table& tree, Report& report) {
    std::vector<Rule> rules;
    check_keys(tree, kFileKeys, "a rule file", report);
    const Member* const member = find(tree, "rule");
    if (member == nullptr) return rules;
    const Array* const array = member->value.as<Array>();
    if (array == nullptr) {
        wrong_kind(member->value, "rule", "[[rule]], with two brackets", report);
        return rules;
    }
    if (array->size() > kRulesMax) {
        report.error((*array)[kRulesMax].at, "the file has too many rules",
                     std::to_string(kRulesMax));
        return rules;
    }
    std::map<std::string, unsigned> seen;
    for (const Value& value : *array) {
        Rule rule = type_rule(source, value, report);
        const auto [first, fresh] = seen.emplace(rule.name, rule.at.line);
        if (!fresh && !rule.name.empty()) {
            report.error(rule.at,
                         fmt::format("a second rule {}; the first is in line {}", quoted(rule.name),
                                     first->second),
                         "names that differ within a file");
        }
        rules.push_back(std::move(rule));
    }
    return rules;
}

}  // namespace mpol::rules

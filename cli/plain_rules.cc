// SPDX-License-Identifier: Apache-2.0
// Rules, and what they come to, for people.
#include <algorithm>

#include "cli/plain.h"
#include "cli/rules_values.h"
#include "cli/words.h"
#include "policy/text.h"

namespace mpol::cli {
namespace {

using rules::Outcome;

std::string place(const rules::Rule& rule, const rules::Location& at) {
    return fmt::format("{}:{}", printable(rule.file), at.line);
}

std::string rule_words(const rules::Rule& rule) {
    return fmt::format("{}, {}, priority {}", printable(rule.name), place(rule, rule.at),
                       rule.priority);
}

std::string action_words(const std::optional<rules::Action>& action) {
    return action ? printable(action->compiled.text) : "-";
}

void add_table(std::string& out, const std::vector<std::vector<std::string>>& rows) {
    std::vector<size_t> widths(rows[0].size());
    for (const auto& row : rows) {
        for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    }
    for (const auto& row : rows) {
        for (size_t i = 0; i + 1 < row.size(); ++i) add(out, "{:<{}}  ", row[i], widths[i]);
        add(out, "{}\n", row.back());
    }
}

void add_where_from(std::string& out, const RulesInForce& rules) {
    if (!rules.there) {
        add(out, "note: no rules: {} does not exist\n", printable(rules.from));
    } else if (rules.compiled.rules.empty()) {
        add(out, "note: no rules in {}\n", printable(rules.from));
    }
}

// --- test and explain

void add_reasons(std::string& out, const rules::Verdict& verdict, std::string_view indent) {
    if (verdict.reasons.empty()) add(out, "{}it matches every process\n", indent);
    for (const rules::Reason& reason : verdict.reasons) {
        add(out, "{}{}: {}\n", indent, printable(reason.test), printable(reason.found));
    }
}

void add_planned(std::string& out, const rules::Action& action, const Planned& planned,
                 const NodeMask& allowed) {
    add(out, "  policy:     {}\n", printable(action.compiled.text));
    if (!planned) {
        const rules::BadPolicy& bad = planned.error();
        add(out, "  here:       nothing: {}; accepted: {}\n", printable(bad.error.problem),
            bad.error.accepted);
        return;
    }
    add(out, "  here:       {}\n", policy_text(planned->policy));
    if (has_nodes(planned->policy.mode)) {
        add(out, "  effective:  {}\n", nodes_words(planned->effective));
    }
    if (!planned->dropped.empty()) {
        add(out, "  dropped:    {}: its cpuset allows {}\n", nodes_words(planned->dropped),
            nodes_words(allowed));
    }
    add(out, "  migrate:    {}\n", action.migrate ? "yes" : "no");
}

void add_winner(std::string& out, const Explanation& it) {
    const rules::Rule* const rule = it.winner();
    if (rule == nullptr) {
        add(out, "  rule:       none matches\n");
        return;
    }
    add(out, "  rule:       {}\n", rule_words(*rule));
    add_reasons(out, it.decision.verdicts[*it.decision.winner], "              ");
    if (!rule->schedule.empty()) {
        add(out, "  schedule:   {}\n", rules::schedule_words(rule->schedule));
    }
    if (rule->ignore) add(out, "  policy:     left as it is (ignore)\n");
    if (rule->action) add_planned(out, *rule->action, *it.planned, it.allowed);
    for (const ThreadPlan& thread : it.threads) {
        const rules::ThreadRule& thread_rule = rule->threads[thread.decision.thread_rule];
        add(out, "thread {} ({})\n", thread.decision.thread.tid,
            printable(thread.decision.thread.name));
        add(out, "  rule:       {}, {}\n", printable(rule->name), place(*rule, thread_rule.at));
        add_planned(out, thread_rule.action, thread.planned, it.allowed);
    }
}

std::string ids_of(const std::vector<rules::NamedId>& ids) {
    std::string out;
    for (const rules::NamedId& id : ids) {
        out += out.empty() ? "" : ", ";
        out += id.name.empty() ? std::to_string(id.id)
                               : fmt::format("{} ({})", printable(id.name), id.id);
    }
    return out;
}

// Of lists, as many as fit on a line.
std::string list_of(const std::vector<std::string>& items) {
    constexpr size_t kShownMax = 6;
    std::string out;
    for (size_t i = 0; i < std::min(items.size(), kShownMax); ++i) {
        out += (i == 0 ? "" : " ") + printable(items[i]);
    }
    if (items.size() > kShownMax) out += fmt::format(" and {} more", items.size() - kShownMax);
    return items.empty() ? "-" : out;
}

std::optional<std::string> fact_words(const rules::Facts& facts, rules::Field field) {
    using rules::Field;
    switch (field) {
        case Field::kComm:
            return facts.comm ? std::optional(printable(*facts.comm)) : std::nullopt;
        case Field::kExe:
            return facts.exe ? std::optional(printable(*facts.exe)) : std::nullopt;
        case Field::kCgroup:
            return facts.cgroup ? std::optional(printable(*facts.cgroup)) : std::nullopt;
        case Field::kArgv:
            return facts.argv ? std::optional(list_of(*facts.argv)) : std::nullopt;
        case Field::kUnit:
            return facts.units ? std::optional(list_of(*facts.units)) : std::nullopt;
        case Field::kUser:
            return facts.user ? std::optional(ids_of({*facts.user})) : std::nullopt;
        case Field::kGroup:
            return facts.groups ? std::optional(ids_of(*facts.groups)) : std::nullopt;
        case Field::kThread:
            if (!facts.threads) return std::nullopt;
            return count_words(facts.threads->size(), "thread");
        case Field::kEnv:
            if (!facts.env) return std::nullopt;
            return count_words(facts.env->size(), "variable");
        case Field::kResident:
            if (!facts.resident_bytes) return std::nullopt;
            return bytes_words(*facts.resident_bytes);
        case Field::kAge:
            break;
    }
    return facts.age_s ? std::optional(fmt::format("{} s", *facts.age_s)) : std::nullopt;
}

void add_facts(std::string& out, const Explanation& it) {
    for (unsigned index = 0; index < rules::kFieldCount; ++index) {
        if ((it.asked >> index & 1U) == 0) continue;
        const auto field = static_cast<rules::Field>(index);
        add(out, "  {:<11} {}\n", std::string(rules::field_name(field)) + ":",
            fact_words(it.facts, field).value_or("can't be read"));
    }
}

void add_current(std::string& out, const Explanation& it) {
    if (!it.current.controlled) {
        add(out,
            "  now:        not under mpol's allocator, or not the caller's: no rule changes it\n");
    } else if (!it.current.policy) {
        add(out, "  now:        default (nothing was asked for)\n");
    } else {
        add(out, "  now:        {}\n  set by:     {}\n", policy_text(*it.current.policy),
            setter(it.current.origin));
    }
    add(out, "  allowed:    {}\n  near:       {}\n", nodes_words(it.allowed), nodes_words(it.near));
}

void add_others(std::string& out, const Explanation& it) {
    for (const rules::Verdict& verdict : it.decision.verdicts) {
        const rules::Rule& rule = it.rules.compiled.rules[verdict.rule];
        if (verdict.outcome == Outcome::kWon) continue;
        add(out, "rule {}\n", rule_words(rule));
        switch (verdict.outcome) {
            case Outcome::kLost:
                add(out, "  matches too, and lost: {} stands before it\n",
                    printable(it.winner()->name));
                break;
            case Outcome::kOffSchedule:
                add(out, "  would match, and holds at other times: {}\n",
                    rules::schedule_words(rule.schedule));
                break;
            case Outcome::kUnknown:
                add(out, "  can't be told\n");
                break;
            default:
                add(out, "  does not match\n");
        }
        add_reasons(out, verdict, "    ");
    }
}

// --- apply

std::string from_words(const PlanRow& row) {
    if (row.from) return policy_text(*row.from);
    return row.tid ? "follows the process" : "default";
}

std::string to_words(const PlanRow& row) {
    if (!row.to) return "nothing: " + printable(row.to.error().error.problem);
    if (!row.changes()) return "no change";
    return policy_text(row.to->policy) + (row.migrate ? " and migrate" : "");
}

}  // namespace

std::string render(const RulesCheck& check) {
    std::string out = fmt::format("{} in {}: no errors\n", count_words(check.rules, "rule"),
                                  count_words(check.files, "file"));
    for (const std::string& from : check.from) add(out, "  {}\n", printable(from));
    if (!check.there) add(out, "note: it does not exist\n");
    return out;
}

std::string render(const RulesList& list) {
    std::vector<std::vector<std::string>> rows = {
        {"PRIORITY", "RULE", "POLICY", "MIGRATE", "SCHEDULE", "WHERE"}};
    for (const rules::Rule& rule : list.rules.compiled.rules) {
        rows.push_back({std::to_string(rule.priority), printable(rule.name),
                        rule.ignore ? "ignore" : action_words(rule.action),
                        rule.action && rule.action->migrate ? "yes" : "no",
                        rules::schedule_words(rule.schedule), place(rule, rule.at)});
        for (const rules::ThreadRule& thread : rule.threads) {
            rows.push_back({"",
                            "  thread " + printable(thread.names[0].text.text) +
                                (thread.names.size() > 1 ? ", ..." : ""),
                            printable(thread.action.compiled.text),
                            thread.action.migrate ? "yes" : "no", "", place(rule, thread.at)});
        }
    }
    std::string out;
    add_table(out, rows);
    add_where_from(out, list.rules);
    return out;
}

std::string render(const Explanation& it) {
    std::string out =
        fmt::format("process {} ({})\n", it.facts.pid, printable(it.facts.comm.value_or("")));
    if (it.brief) add_facts(out, it);
    if (!it.brief) add_current(out, it);
    if (it.account) out += account_words(*it.account);
    add_winner(out, it);
    if (!it.brief) add_others(out, it);
    add_where_from(out, it.rules);
    return out;
}

std::string render(const Plan& plan) {
    std::vector<std::vector<std::string>> rows = {{"PID", "COMMAND", "RULE", "FROM", "TO"}};
    size_t changes = 0;
    for (const PlanRow& row : plan.rows) {
        const std::string pid = std::to_string(row.pid);
        rows.push_back({row.tid ? fmt::format("{}/{}", pid, *row.tid) : pid, printable(row.comm),
                        printable(row.rule.name), from_words(row), to_words(row)});
        changes += row.changes() ? 1 : 0;
    }
    std::string out;
    add_table(out, rows);
    add(out, "{}: {} would be made, {} without a rule, {} left alone; nothing was done\n",
        fmt::format("{} process{}", plan.processes, plan.processes == 1 ? "" : "es"),
        count_words(changes, "change"), plan.unmatched, plan.ignored);
    return out;
}

}  // namespace mpol::cli

// SPDX-License-Identifier: Apache-2.0
// Rules, and what they come to, for programs.
#include "cli/json.h"
#include "policy/text.h"

namespace mpol::cli {
namespace {

Json place_json(const std::string& file, const rules::Location& at) {
    return {{"file", file}, {"line", at.line}, {"column", at.column}};
}

Json action_json(const rules::Action& action) {
    return {{"policy", action.compiled.text}, {"migrate", action.migrate}};
}

Json rule_json(const rules::Rule& rule) {
    Json threads = Json::array();
    for (const rules::ThreadRule& thread : rule.threads) {
        Json names = Json::array();
        for (const rules::Pattern& name : thread.names) {
            const bool regex = name.kind == rules::Pattern::Kind::kRegex;
            names.push_back({{regex ? "regex" : "glob", name.text.text}});
        }
        Json one = {{"names", names}, {"at", place_json(rule.file, thread.at)}};
        one.update(action_json(thread.action));
        threads.push_back(one);
    }
    Json out = {{"name", rule.name},
                {"at", place_json(rule.file, rule.at)},
                {"priority", rule.priority},
                {"ignore", rule.ignore},
                {"schedule", rules::schedule_words(rule.schedule)}};
    out.update(rule.action ? action_json(*rule.action)
                           : Json{{"policy", nullptr}, {"migrate", false}});
    out["threads"] = threads;
    return out;
}

Json planned_json(const Planned& planned) {
    if (!planned) {
        const rules::BadPolicy& bad = planned.error();
        return {{"policy", nullptr},
                {"text", bad.text},
                {"problem", bad.error.problem},
                {"accepted", bad.error.accepted}};
    }
    return {{"policy", policy_json(planned->policy)},
            {"effective", nodes_json(planned->effective)},
            {"dropped", nodes_json(planned->dropped)}};
}

Json verdict_json(const rules::Verdict& verdict, const rules::Rule& rule) {
    Json reasons = Json::array();
    for (const rules::Reason& reason : verdict.reasons) {
        reasons.push_back({{"test", reason.test},
                           {"found", reason.found},
                           {"at", place_json(rule.file, reason.at)}});
    }
    return {{"rule", rule.name},
            {"at", place_json(rule.file, rule.at)},
            {"outcome", rules::outcome_word(verdict.outcome)},
            {"reasons", reasons}};
}

Json id_json(const rules::NamedId& id) {
    return {{"id", id.id}, {"name", id.name}};
}

// Null: could not be read, or no rule asks for it.
template <class T>
Json fact_json(const std::optional<T>& fact) {
    return fact ? Json(*fact) : Json(nullptr);
}

Json facts_json(const rules::Facts& facts) {
    Json groups = facts.groups ? Json::array() : Json(nullptr);
    for (const rules::NamedId& group : facts.groups.value_or(std::vector<rules::NamedId>{})) {
        groups.push_back(id_json(group));
    }
    // Not the environment: it may hold secrets, and a reason names the variable that counted.
    return {{"comm", fact_json(facts.comm)},
            {"exe", fact_json(facts.exe)},
            {"argv", fact_json(facts.argv)},
            {"user", facts.user ? id_json(*facts.user) : Json(nullptr)},
            {"groups", groups},
            {"cgroup", fact_json(facts.cgroup)},
            {"units", fact_json(facts.units)},
            {"resident_bytes", fact_json(facts.resident_bytes)},
            {"age_s", fact_json(facts.age_s)}};
}

Json threads_json(const Explanation& it) {
    Json out = Json::array();
    for (const ThreadPlan& thread : it.threads) {
        const rules::ThreadRule& rule = it.winner()->threads[thread.decision.thread_rule];
        out.push_back({{"tid", thread.decision.thread.tid},
                       {"comm", thread.decision.thread.name},
                       {"at", place_json(it.winner()->file, rule.at)},
                       {"planned", planned_json(thread.planned)}});
    }
    return out;
}

}  // namespace

Json render_json(const RulesCheck& check) {
    return {{"from", check.from}, {"files", check.files}, {"rules", check.rules}};
}

Json render_json(const RulesList& list) {
    Json rules = Json::array();
    for (const rules::Rule& rule : list.rules.compiled.rules) rules.push_back(rule_json(rule));
    return {{"from", list.rules.from}, {"files", list.rules.files}, {"rules", rules}};
}

Json render_json(const Explanation& it) {
    Json verdicts = Json::array();
    for (const rules::Verdict& verdict : it.decision.verdicts) {
        verdicts.push_back(verdict_json(verdict, it.rules.compiled.rules[verdict.rule]));
    }
    const rules::Rule* const winner = it.winner();
    Json now = nullptr;
    if (it.current.controlled) {
        now = {{"policy", optional_policy(it.current.policy)},
               {"set_by", it.current.policy ? origin_json(it.current.origin) : Json(nullptr)}};
    }
    return {{"pid", it.facts.pid},
            {"comm", it.facts.comm.value_or("")},
            {"controlled", it.current.controlled},
            {"now", now},
            {"allowed", nodes_json(it.allowed)},
            {"near", nodes_json(it.near)},
            {"facts", facts_json(it.facts)},
            {"winner", winner != nullptr ? rule_json(*winner) : Json(nullptr)},
            {"planned", it.planned ? planned_json(*it.planned) : Json(nullptr)},
            {"daemon", it.account ? render_json(*it.account) : Json(nullptr)},
            {"threads", threads_json(it)},
            {"verdicts", verdicts}};
}

Json render_json(const Plan& plan) {
    Json rows = Json::array();
    for (const PlanRow& row : plan.rows) {
        Json one = {{"pid", row.pid}};
        if (row.tid) one["tid"] = *row.tid;
        one.update({{"comm", row.comm},
                    {"rule", row.rule.name},
                    {"at", place_json(row.rule.file, row.rule.at)},
                    {"from", optional_policy(row.from)},
                    {"to", planned_json(row.to)},
                    {"migrate", row.migrate},
                    {"changes", row.changes()}});
        rows.push_back(one);
    }
    return {{"dry_run", true},
            {"processes", plan.processes},
            {"unmatched", plan.unmatched},
            {"ignored", plan.ignored},
            {"rows", rows}};
}

Json render_json(const std::vector<rules::Diagnostic>& diagnostics) {
    Json out = Json::array();
    for (const rules::Diagnostic& one : diagnostics) {
        out.push_back({{"file", one.file},
                       {"line", one.at.line},
                       {"column", one.at.column},
                       {"length", one.at.length},
                       {"problem", one.problem},
                       {"accepted", one.accepted},
                       {"source", one.line}});
    }
    return out;
}

}  // namespace mpol::cli

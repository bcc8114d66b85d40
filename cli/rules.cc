// SPDX-License-Identifier: Apache-2.0
// mpol rules check, list, test and apply --dry-run, and mpol explain.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "cli/daemon.h"
#include "cli/rules_context.h"
#include "cli/verbs.h"
#include "cli/words.h"
#include "daemon/rules/load.h"

namespace mpol::cli {
namespace {

Result<Explanation> explain_named(const Arguments& arguments) {
    const Result<pid_t> pid = parse_process(arguments.target);
    if (!pid) return tl::unexpected(pid.error());
    const auto context = read_context(arguments);
    if (!context) return tl::unexpected(context.error());
    return explain_process(*pid, *context);
}

Status status_of(const Explanation& explanation) {
    const auto& threads = explanation.threads;
    const bool bad = (explanation.planned && !*explanation.planned) ||
                     std::any_of(threads.begin(), threads.end(),
                                 [](const ThreadPlan& one) { return !one.planned; });
    return bad ? Status::kFailed : Status::kOk;
}

std::optional<Policy> policy_of_thread(const control::Target& target, pid_t tid) {
    const auto slot = target.slot_of(tid);
    const auto state = slot ? target.thread(*slot) : std::nullopt;
    return state && state->asked.set ? std::optional(state->asked.policy) : std::nullopt;
}

void add_rows(const Explanation& one, Plan& plan) {
    const rules::Rule* const rule = one.winner();
    ++plan.processes;
    if (rule == nullptr) {
        ++plan.unmatched;
        return;
    }
    plan.ignored += rule->ignore ? 1 : 0;
    const std::string comm = one.facts.comm.value_or("");
    if (one.planned) {
        plan.rows.push_back({one.facts.pid, std::nullopt, comm, *rule, one.current.policy,
                             *one.planned, rule->action->migrate});
    }
    const auto target = control::Target::attach(one.facts.pid, control::Access::kRead);
    if (!target) return;
    for (const ThreadPlan& thread : one.threads) {
        const rules::ThreadFact& fact = thread.decision.thread;
        plan.rows.push_back({one.facts.pid, fact.tid, fact.name, *rule,
                             policy_of_thread(*target, fact.tid), thread.planned,
                             rule->threads[thread.decision.thread_rule].action.migrate});
    }
}

Result<std::vector<pid_t>> processes_named(const Arguments& arguments) {
    if (arguments.target.empty() == !arguments.all) {
        return misused(
            arguments.all ? "PID and --all exclude each other" : "PID or --all is missing",
            "mpol rules apply --help");
    }
    if (arguments.all) return control::attachable_processes();
    const Result<pid_t> pid = parse_process(arguments.target);
    if (!pid) return tl::unexpected(pid.error());
    const auto target = control::Target::attach(*pid, control::Access::kRead);
    if (!target) return failed(target.error());
    return std::vector<pid_t>{*pid};
}

}  // namespace

Result<Answer> rules_check(const Arguments& arguments) {
    RulesCheck check;
    check.from = arguments.paths;
    std::vector<rules::Source> sources;
    if (check.from.empty()) {
        const auto in_force = read_rules(arguments);
        if (!in_force) return tl::unexpected(in_force.error());
        check.from = {in_force->from};
        check.there = in_force->there;
        check.files = in_force->files.size();
        check.rules = in_force->compiled.rules.size();
        return Answer{Status::kOk, std::move(check)};
    }
    for (const std::string& path : check.from) {
        auto some = read_path(path);
        if (!some) return tl::unexpected(some.error());
        std::move(some->begin(), some->end(), std::back_inserter(sources));
    }
    const auto compiled = compile_all(sources);
    if (!compiled) return tl::unexpected(compiled.error());
    check.files = sources.size();
    check.rules = compiled->rules.size();
    return Answer{Status::kOk, std::move(check)};
}

Result<Answer> rules_list(const Arguments& arguments) {
    auto in_force = read_rules(arguments);
    if (!in_force) return tl::unexpected(in_force.error());
    return Answer{Status::kOk, RulesList{std::move(*in_force)}};
}

Result<Answer> rules_test(const Arguments& arguments) {
    auto explanation = explain_named(arguments);
    if (!explanation) return tl::unexpected(explanation.error());
    explanation->brief = true;
    const Status status = status_of(*explanation);
    return Answer{status, std::move(*explanation)};
}

Result<Answer> explain(const Arguments& arguments) {
    auto explanation = explain_named(arguments);
    if (!explanation) return tl::unexpected(explanation.error());
    explanation->account = account_of(explanation->facts.pid, arguments);
    return Answer{Status::kOk, std::move(*explanation)};
}

Result<Answer> rules_apply(const Arguments& arguments) {
    if (!arguments.dry_run) {
        return misused("only a dry run can be had: --dry-run is missing",
                       "mpol set, to change one process");
    }
    const auto pids = processes_named(arguments);
    if (!pids) return tl::unexpected(pids.error());
    const auto context = read_context(arguments);
    if (!context) return tl::unexpected(context.error());
    Plan plan;
    for (const pid_t pid : *pids) {
        const auto one = explain_process(pid, *context);
        // Processes come and go while they are looked at.
        if (one) add_rows(*one, plan);
        if (!one && !arguments.all) return tl::unexpected(one.error());
    }
    const bool bad =
        std::any_of(plan.rows.begin(), plan.rows.end(), [](const PlanRow& row) { return !row.to; });
    return Answer{bad ? Status::kFailed : Status::kOk, std::move(plan)};
}

}  // namespace mpol::cli

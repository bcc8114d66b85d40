// SPDX-License-Identifier: Apache-2.0
// mpol rules check, list and test, and mpol explain.
#include <fmt/format.h>

#include <algorithm>

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

}  // namespace mpol::cli

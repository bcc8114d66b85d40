// SPDX-License-Identifier: Apache-2.0
#include "cli/rules_context.h"

#include <fmt/format.h>

#include <cerrno>

#include "cli/target.h"
#include "cli/words.h"
#include "control/proc.h"
#include "daemon/rules/load.h"
#include "daemon/rules/plan.h"

namespace mpol::cli {
namespace {

CurrentPolicy current_policy(pid_t pid) {
    CurrentPolicy current;
    const auto target = control::Target::attach(pid, control::Access::kRead);
    if (!target) return current;
    const control::ProcessState state = target->process();
    current.controlled = true;
    current.policy = state.asked.set ? std::optional(state.asked.policy) : state.inherited;
    current.origin = state.asked.set ? state.asked.origin : state.inherited_origin;
    return current;
}

}  // namespace

Result<std::vector<rules::Source>> read_path(const std::string& path) {
    auto sources = rules::read_sources(path);
    if (sources) return std::move(*sources);
    const rules::LoadFailure& failure = sources.error();
    return failed(failure.err, fmt::format("{}: {}", printable(failure.path), failure.what));
}

Result<rules::CompiledRules> compile_all(const std::vector<rules::Source>& sources) {
    rules::Diagnostics diagnostics;
    rules::CompiledRules compiled = rules::compile_sources(sources, diagnostics);
    if (diagnostics.empty()) return compiled;
    const size_t count = diagnostics.list.size() + diagnostics.left_out;
    Error error;
    error.err = EINVAL;
    error.message = fmt::format("{} in the rules", count_words(count, "error"));
    error.bad_rules = std::move(diagnostics.list);
    return tl::unexpected(std::move(error));
}

Result<RulesInForce> read_rules(const Arguments& arguments) {
    RulesInForce out;
    out.from = arguments.rules.empty() ? rules::default_folder() : arguments.rules;
    const auto sources = read_path(out.from);
    if (!sources) {
        // Who has written no rules has none.
        out.there = !(arguments.rules.empty() && sources.error().err == ENOENT);
        if (out.there) return tl::unexpected(sources.error());
        return out;
    }
    auto compiled = compile_all(*sources);
    if (!compiled) return tl::unexpected(compiled.error());
    for (const rules::Source& source : *sources) out.files.push_back(source.path);
    out.compiled = std::move(*compiled);
    return out;
}

Result<RulesContext> read_context(const Arguments& arguments) {
    auto in_force = read_rules(arguments);
    if (!in_force) return tl::unexpected(in_force.error());
    return RulesContext{std::move(*in_force), rules::read_topology(), rules::local_moment()};
}

Result<Explanation> explain_process(pid_t pid, const RulesContext& context) {
    Explanation out;
    out.rules = context.rules;
    out.asked = context.rules.compiled.needs;
    const auto facts = rules::read_facts(pid, out.asked);
    auto target = rules::read_target_nodes(pid, context.topology);
    if (!facts || !target)
        return failed(ESRCH, fmt::format("there is no process {}", pid), "mpol ls");
    out.facts = *facts;
    out.allowed = target->allowed;
    out.near = target->near;
    out.current = current_policy(pid);
    out.decision = rules::decide(out.rules.compiled, out.facts, context.now);
    const rules::Rule* const winner = out.winner();
    if (winner == nullptr) return out;
    if (winner->action) out.planned = rules::plan(*winner->action, context.topology, *target);
    for (const rules::ThreadDecision& one : out.decision.threads) {
        const rules::Action& action = winner->threads[one.thread_rule].action;
        out.threads.push_back({one, rules::plan(action, context.topology, *target)});
    }
    return out;
}

Result<pid_t> parse_process(std::string_view text) {
    const Result<TargetName> name = parse_target(text);
    if (!name) return tl::unexpected(name.error());
    if (name->tid) {
        return misused(
            fmt::format("{} is a thread: rules are matched against processes", in_quotes(text)),
            fmt::format("mpol explain {}", name->pid));
    }
    const auto process = control::process_of(name->pid);
    if (!process) return failed(ESRCH, fmt::format("there is no process {}", name->pid), "mpol ls");
    if (*process == name->pid) return name->pid;
    return misused(fmt::format("{} is a thread of process {}", name->pid, *process),
                   fmt::format("mpol explain {}", *process));
}

}  // namespace mpol::cli

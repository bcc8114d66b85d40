// SPDX-License-Identifier: Apache-2.0
// mpol rules apply: by the daemon that has the process, else once, by hand; or only what would be
// done.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "cli/apply_wait.h"
#include "cli/daemon_deeds.h"
#include "cli/rules_context.h"
#include "cli/verbs.h"
#include "sys/sys.h"

namespace mpol::cli {
namespace {

using daemon::Applied;

constexpr Deed kApply = {"io.mpol.Daemon.Apply", "applied"};

std::optional<Policy> policy_of_thread(const control::Target& target, pid_t tid) {
    const auto slot = target.slot_of(tid);
    const auto state = slot ? target.thread(*slot) : std::nullopt;
    return state && state->asked.set ? std::optional(state->asked.policy) : std::nullopt;
}

void add_rows(const Explanation& one, const control::Target& target, Plan& plan) {
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
    for (const ThreadPlan& thread : one.threads) {
        const rules::ThreadFact& fact = thread.decision.thread;
        plan.rows.push_back({one.facts.pid, fact.tid, fact.name, *rule,
                             policy_of_thread(target, fact.tid), thread.planned,
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
    return std::vector<pid_t>{*pid};
}

ApplyReport report_of(bool by_daemon, std::vector<Applied> changes) {
    ApplyReport report{by_daemon, {}};
    for (Applied& change : changes) report.rows.push_back({std::move(change)});
    return report;
}

// Without a daemon. Processes come and go while they are looked at.
Result<ApplyReport> apply_by_hand(const std::vector<pid_t>& pids, const Arguments& arguments) {
    const auto context = read_context(arguments);
    if (!context) return tl::unexpected(context.error());
    std::vector<Applied> all;
    for (const pid_t pid : pids) {
        auto rows = apply_once(pid, *context);
        if (!rows && !arguments.all) return tl::unexpected(rows.error());
        if (rows) std::move(rows->begin(), rows->end(), std::back_inserter(all));
    }
    return report_of(false, std::move(all));
}

Result<Answer> dry_run(const std::vector<pid_t>& pids, const Arguments& arguments) {
    const auto context = read_context(arguments);
    if (!context) return tl::unexpected(context.error());
    Plan plan;
    for (const pid_t pid : pids) {
        const auto target = control::Target::attach(pid, control::Access::kRead);
        if (!target && !arguments.all) return failed(target.error());
        const auto one = explain_process(pid, *context);
        if (target && one) add_rows(*one, *target, plan);
        if (!one && !arguments.all) return tl::unexpected(one.error());
    }
    const bool bad =
        std::any_of(plan.rows.begin(), plan.rows.end(), [](const PlanRow& row) { return !row.to; });
    return Answer{bad ? Status::kFailed : Status::kOk, std::move(plan)};
}

Result<ApplyReport> apply_now(const std::vector<pid_t>& pids, const Arguments& arguments) {
    auto daemons = find_daemons(arguments);
    if (!daemons) return tl::unexpected(daemons.error());
    if (daemons->empty()) return apply_by_hand(pids, arguments);
    if (!arguments.rules.empty()) {
        return misused(
            "a daemon runs, and keeps processes in its own rules, not in those of --rules",
            "mpol rules apply --dry-run, with --rules");
    }
    const auto by_daemon = [](std::vector<Applied> rows) {
        return report_of(true, std::move(rows));
    };
    if (arguments.all) return do_to_all<Applied>(*daemons, kApply).map(by_daemon);
    auto rows = do_to_one<Applied>(*daemons, kApply, pids.front());
    if (!rows) return tl::unexpected(rows.error());
    return *rows ? by_daemon(std::move(**rows)) : apply_by_hand(pids, arguments);
}

}  // namespace

Result<Answer> rules_apply(const Arguments& arguments) {
    const auto pids = processes_named(arguments);
    if (!pids) return tl::unexpected(pids.error());
    if (arguments.dry_run) return dry_run(*pids, arguments);
    const uint64_t begin_ns = sys::monotonic_ns();
    auto report = apply_now(*pids, arguments);
    if (!report) return tl::unexpected(report.error());
    report->waited = !arguments.no_wait;
    report->timeout_ms = arguments.timeout_ms;
    if (report->waited && !report->rows.empty()) {
        wait_until_applied(report->rows, begin_ns, arguments.timeout_ms);
        if (report->rows.empty() && !arguments.all) {
            return failed(ESRCH, fmt::format("process {} has exited", pids->front()));
        }
    }
    const bool all =
        std::all_of(report->rows.begin(), report->rows.end(), [&](const AppliedRow& row) {
            return row.change.done && (row.applied || !row.published() || !report->waited);
        });
    return Answer{all ? Status::kOk : Status::kPartlyApplied, std::move(*report)};
}

}  // namespace mpol::cli

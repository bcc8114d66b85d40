// SPDX-License-Identifier: Apache-2.0
// Undo without a daemon: what a process had before one touched it is in its own control segment.
#include <fmt/format.h>

#include <cerrno>
#include <utility>

#include "cli/daemon.h"
#include "cli/target.h"
#include "policy/text.h"

namespace mpol::cli {
namespace {

// Writers hold the lock for microseconds.
constexpr int kLockMs = 1000;

daemon::Undone undone_of(const control::Target& target, const control::GivenBack& given) {
    daemon::Undone undone;
    undone.pid = target.pid();
    undone.tid = given.scope ? target.outer_tid(given.scope->tid) : 0;
    undone.comm = comm_of(undone.pid, undone.tid == 0 ? undone.pid : undone.tid);
    undone.done = given.holder == control::Holder::kDaemon;
    if (undone.done && given.had_policy) undone.policy = policy_text(given.before);
    if (!undone.done) undone.why = "set by hand since";
    return undone;
}

Result<void> add_undone(pid_t pid, UndoReport& report) {
    auto target = control::Target::attach(pid, control::Access::kWrite);
    if (!target) return failed(target.error());
    const auto given = target->undo(kLockMs);
    if (!given) return failed(given.error());
    for (const control::GivenBack& one : *given) report.scopes.push_back(undone_of(*target, one));
    return {};
}

}  // namespace

Result<UndoReport> undo_by_hand(pid_t pid) {
    UndoReport report;
    report.by_daemon = false;
    if (auto added = add_undone(pid, report); !added) return tl::unexpected(added.error());
    return report;
}

UndoReport undo_all_by_hand() {
    UndoReport report;
    report.by_daemon = false;
    for (const pid_t pid : control::attachable_processes()) {
        const auto added = add_undone(pid, report);
        // Processes come and go while they are looked at; what can only be read stays.
        if (added || added.error().err == ESRCH || added.error().err == ENODEV) continue;
        report.scopes.push_back({pid, 0, comm_of(pid, pid), false, {}, added.error().message});
    }
    return report;
}

}  // namespace mpol::cli

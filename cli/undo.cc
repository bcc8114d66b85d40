// SPDX-License-Identifier: Apache-2.0
// mpol undo: by the daemon that has the process, else by hand, from what the process's own segment
// keeps.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cli/daemon_deeds.h"
#include "cli/target.h"
#include "cli/verbs.h"

namespace mpol::cli {
namespace {

using daemon::Undone;

constexpr Deed kUndo = {"io.mpol.Daemon.Undo", "undone"};

Status status_of(const UndoReport& report) {
    const bool all = std::all_of(report.scopes.begin(), report.scopes.end(),
                                 [](const Undone& scope) { return scope.done; });
    return all ? Status::kOk : Status::kPartlyApplied;
}

}  // namespace

Result<Answer> undo(const Arguments& arguments) {
    if (arguments.target.empty() == !arguments.all) {
        return misused(
            arguments.all ? "PID and --all exclude each other" : "PID or --all is missing",
            "mpol undo --help");
    }
    auto daemons = find_daemons(arguments);
    if (!daemons) return tl::unexpected(daemons.error());
    const auto by_daemon = [](std::vector<Undone> scopes) {
        return UndoReport{true, std::move(scopes)};
    };
    Result<UndoReport> report;
    if (arguments.all) {
        report = daemons->empty() ? undo_all_by_hand()
                                  : do_to_all<Undone>(*daemons, kUndo).map(by_daemon);
    } else {
        const auto name = parse_target(arguments.target);
        if (!name) return tl::unexpected(name.error());
        if (name->tid) {
            return misused("a whole process is given back: name PID, not PID/TID",
                           fmt::format("mpol undo {}", name->pid));
        }
        auto scopes = do_to_one<Undone>(*daemons, kUndo, name->pid);
        if (!scopes) return tl::unexpected(scopes.error());
        report = *scopes ? by_daemon(std::move(**scopes)) : undo_by_hand(name->pid);
    }
    if (!report) return tl::unexpected(report.error());
    const Status status = status_of(*report);
    return Answer{status, std::move(*report)};
}

}  // namespace mpol::cli

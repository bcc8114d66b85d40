// SPDX-License-Identifier: Apache-2.0
// mpol undo: by the daemon that has the process, else by hand, from what the process's own segment
// keeps.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

#include "cli/daemon.h"
#include "cli/target.h"
#include "cli/verbs.h"

namespace mpol::cli {
namespace {

using daemon::Client;
using daemon::Json;
using daemon::Undone;

Result<void> add_undone(const Json& reply, UndoReport& report) {
    auto undone = take_value<std::vector<Undone>>(reply, "undone");
    if (!undone) return tl::unexpected(undone.error());
    std::move(undone->begin(), undone->end(), std::back_inserter(report.scopes));
    return {};
}

Result<UndoReport> undo_all(std::vector<Client>& daemons) {
    UndoReport report;
    for (Client& client : daemons) {
        Result<void> shape;
        const auto ended =
            client.stream("io.mpol.Daemon.Undo", Json::object(), [&](const Json& page) {
                shape = add_undone(page, report);
                return shape.has_value();
            });
        if (!ended) return failed(ended.error());
        if (!shape) return tl::unexpected(shape.error());
    }
    return report;
}

// Empty: no daemon has it.
Result<std::optional<UndoReport>> undo_one(std::vector<Client>& daemons, pid_t pid) {
    for (Client& client : daemons) {
        const auto reply = client.call("io.mpol.Daemon.Undo", {{"pid", pid}});
        if (!reply && reply.error().err == ESRCH) continue;
        if (!reply) return failed(reply.error());
        UndoReport report;
        if (auto added = add_undone(*reply, report); !added) return tl::unexpected(added.error());
        return report;
    }
    return std::nullopt;
}

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
    Result<UndoReport> report;
    if (arguments.all) {
        report = daemons->empty() ? undo_all_by_hand() : undo_all(*daemons);
    } else {
        const auto name = parse_target(arguments.target);
        if (!name) return tl::unexpected(name.error());
        if (name->tid) {
            return misused("a whole process is given back: name PID, not PID/TID",
                           fmt::format("mpol undo {}", name->pid));
        }
        const auto by_daemon = undo_one(*daemons, name->pid);
        if (!by_daemon) return tl::unexpected(by_daemon.error());
        report = *by_daemon ? Result<UndoReport>(**by_daemon) : undo_by_hand(name->pid);
    }
    if (!report) return tl::unexpected(report.error());
    const Status status = status_of(*report);
    return Answer{status, std::move(*report)};
}

}  // namespace mpol::cli

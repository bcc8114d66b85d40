// SPDX-License-Identifier: Apache-2.0
// mpol status, mpol log, mpol rules reload: what the daemon alone can tell.
#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "cli/daemon.h"
#include "cli/verbs.h"

namespace mpol::cli {
namespace {

using daemon::Json;
using daemon::LogEntry;

// With --follow and no -n, as tail and journalctl have it.
constexpr int kFollowedLines = 10;

Json log_parameters(const Arguments& arguments) {
    Json parameters = {{"follow", arguments.follow}};
    const int lines = arguments.lines < 0 && arguments.follow ? kFollowedLines : arguments.lines;
    if (lines >= 0) parameters["count"] = lines;
    return parameters;
}

// Prints what comes. errno: standard output fails.
Result<void> show_page(const Arguments& arguments, const Json& page, LogEnd& end) {
    const auto entries = take_value<std::vector<LogEntry>>(page, "entries");
    const auto lost = take_value<uint64_t>(page, "lost");
    if (!entries) return tl::unexpected(entries.error());
    if (!lost) return tl::unexpected(lost.error());
    end.lost += *lost;
    bool shown = *lost == 0 || show(arguments, LogGap{*lost});
    for (const LogEntry& entry : *entries) {
        shown = shown && show(arguments, LogLine{entry});
        ++end.entries;
    }
    if (shown) return {};
    return failed(errno, fmt::format("can't write to standard output: {}", std::strerror(errno)));
}

}  // namespace

Result<Answer> status(const Arguments& arguments) {
    auto client = find_daemon(arguments);
    if (!client) return tl::unexpected(client.error());
    const auto reply = client->call("io.mpol.Daemon.Status");
    if (!reply) return failed(reply.error());
    auto told = take_value<daemon::DaemonStatus>(*reply, "status");
    if (!told) return tl::unexpected(told.error());
    DaemonView view{std::move(*told), {}};
    if (!arguments.all) return Answer{Status::kOk, std::move(view)};
    auto& all = view.processes.emplace();
    Result<void> shape;
    const auto ended = client->stream("io.mpol.Daemon.List", Json::object(), [&](const Json& page) {
        auto some = take_value<std::vector<daemon::AttachedProcess>>(page, "processes");
        if (!some) shape = tl::unexpected(some.error());
        if (some) all.insert(all.end(), some->begin(), some->end());
        return some.has_value();
    });
    if (!ended) return failed(ended.error());
    if (!shape) return tl::unexpected(shape.error());
    return Answer{Status::kOk, std::move(view)};
}

Result<Answer> log(const Arguments& arguments) {
    auto client = find_daemon(arguments);
    if (!client) return tl::unexpected(client.error());
    LogEnd end;
    Result<void> shown;
    const auto ended = client->stream(
        "io.mpol.Daemon.Log", log_parameters(arguments),
        [&](const Json& page) {
            shown = show_page(arguments, page, end);
            return shown.has_value();
        },
        arguments.follow);
    if (!shown) return tl::unexpected(shown.error());
    if (!ended) return failed(ended.error());
    return Answer{Status::kOk, end};
}

Result<Answer> rules_reload(const Arguments& arguments) {
    auto client = find_daemon(arguments);
    if (!client) return tl::unexpected(client.error());
    const auto reply = client->call("io.mpol.Daemon.Reload");
    if (!reply) return failed(reply.error());
    const auto rules = take_value<uint64_t>(*reply, "rules");
    if (!rules) return tl::unexpected(rules.error());
    return Answer{Status::kOk, Reloaded{*rules}};
}

}  // namespace mpol::cli

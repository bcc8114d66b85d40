// SPDX-License-Identifier: Apache-2.0
// What a daemon tells, for programs: as it comes over the wire, with times as elsewhere.
#include "cli/json.h"
#include "cli/words.h"
#include "daemon/api/json.h"

namespace mpol::cli {
namespace {

Json entry_json(const daemon::LogEntry& entry) {
    Json out = daemon::to_wire(entry);
    out["time"] = utc_time(entry.time_ns);
    out.erase("time_ns");
    return out;
}

}  // namespace

Json render_json(const DaemonView& view) {
    Json out = daemon::to_wire(view.status);
    out["rules_loaded"] = utc_time(view.status.rules_loaded_ns);
    out.erase("rules_loaded_ns");
    if (view.processes) out["processes"] = daemon::to_wire(*view.processes);
    return out;
}

Json render_json(const UndoReport& report) {
    return {{"by", report.by_daemon ? "daemon" : "segment"},
            {"undone", daemon::to_wire(report.scopes)}};
}

Json render_json(const ApplyReport& report) {
    Json rows = Json::array();
    for (const AppliedRow& row : report.rows) {
        Json one = daemon::to_wire(row.change);
        if (row.published()) {
            one["applied"] = row.applied;
            one["latency_us"] = row.applied ? Json(row.latency_ns / 1000) : Json(nullptr);
            one["behind"] = row.behind;
            one["stopped"] = row.stopped;
        }
        rows.push_back(std::move(one));
    }
    return {{"by", report.by_daemon ? "daemon" : "segment"},
            {"waited", report.waited},
            {"applied", rows}};
}

Json render_json(const LogLine& line) {
    return entry_json(line.entry);
}

Json render_json(const LogGap& gap) {
    return {{"lost", gap.lost}};
}

Json render_json(const LogEnd& end) {
    return {{"entries", end.entries}, {"lost", end.lost}};
}

Json render_json(const Reloaded& reloaded) {
    return {{"rules", reloaded.rules}};
}

Json render_json(const daemon::Account& account) {
    Json history = Json::array();
    for (const daemon::LogEntry& entry : account.history) history.push_back(entry_json(entry));
    return {{"process", daemon::to_wire(account.process)}, {"history", history}};
}

}  // namespace mpol::cli

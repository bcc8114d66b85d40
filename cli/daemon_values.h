// SPDX-License-Identifier: Apache-2.0
// What the verbs about the daemon compute.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "daemon/api/service.h"

namespace mpol::cli {

// mpol status
struct DaemonView {
    daemon::DaemonStatus status;
    std::optional<std::vector<daemon::AttachedProcess>> processes;  // with --all
};

// mpol undo
struct UndoReport {
    bool by_daemon = true;  // false: without one, from what the processes' segments keep
    std::vector<daemon::Undone> scopes;
};

// mpol rules apply: a scope.
struct AppliedRow {
    daemon::Applied change;
    // Of what was published; as mpol set tells of it.
    bool applied = false;
    uint64_t latency_ns = 0;      // since it was asked for
    std::vector<pid_t> behind{};  // their kernel task policy is still the old one
    bool stopped = false;         // by a signal or a debugger
    bool helper = false;          // a helper thread runs

    [[nodiscard]] bool published() const { return change.done && change.generation != 0; }
};
struct ApplyReport {
    bool by_daemon = true;  // false: without one, once
    std::vector<AppliedRow> rows;
    bool waited = true;
    int timeout_ms = 0;
};

// mpol log: a line each, and the last.
struct LogLine {
    daemon::LogEntry entry;
};
struct LogGap {
    uint64_t lost = 0;
};
struct LogEnd {
    uint64_t entries = 0;
    uint64_t lost = 0;
};

// mpol rules reload
struct Reloaded {
    uint64_t rules = 0;
};

}  // namespace mpol::cli

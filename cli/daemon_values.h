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

// mpol rules apply
struct ApplyReport {
    bool by_daemon = true;  // false: without one, once
    std::vector<daemon::Applied> rows;
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

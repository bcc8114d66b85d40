// SPDX-License-Identifier: Apache-2.0
// The daemons that a verb may ask: the caller's own and the system's, where they run.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "cli/arguments.h"
#include "cli/daemon_values.h"
#include "cli/error.h"
#include "daemon/api/client.h"

namespace mpol::cli {

// Connections to those that are there, the caller's own first; with --socket to that one alone.
// Root has the system's only. Failure: one is there and can't be asked.
[[nodiscard]] Result<std::vector<daemon::Client>> find_daemons(const Arguments& arguments);

// The first of them. Failure: none is there.
[[nodiscard]] Result<daemon::Client> find_daemon(const Arguments& arguments);

// What a daemon did to the process. Empty: none is there, none has it, or it is not for the caller.
[[nodiscard]] std::optional<daemon::Account> account_of(pid_t pid, const Arguments& arguments);

// Without a daemon: from what the processes' own segments keep (undo_by_hand.cc). Failure: no such
// process, not under control, not permitted.
[[nodiscard]] Result<UndoReport> undo_by_hand(pid_t pid);
// Of all processes that the caller may.
[[nodiscard]] UndoReport undo_all_by_hand();

// A value of a reply. Failure: it is of another shape.
template <class T>
[[nodiscard]] Result<T> take_value(const daemon::Json& parameters, const char* name) {
    T value{};
    const auto at = parameters.find(name);
    if (at != parameters.end() && daemon::from_wire(*at, value)) return value;
    return failed(EPROTO, "the daemon's answer has another shape",
                  "mpol and mpold should be of the same version");
}

}  // namespace mpol::cli

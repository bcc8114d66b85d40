// SPDX-License-Identifier: Apache-2.0
// Who may ask what: what the kernel has for opening another process's segment (proc_pid_fd(5)), as
// far as it can be told for a caller who is not the one that opens.
#pragma once

#include <sys/types.h>

#include <optional>

#include "daemon/api/service.h"

namespace mpol::daemon {

// The owner of /proc/PID: the process's effective user, or root when it may not be dumped. Empty:
// no such process.
[[nodiscard]] std::optional<uid_t> owner_of(pid_t pid);

// Root may read and undo every process, others those that are theirs.
[[nodiscard]] inline bool may_reach(const Caller& caller, uid_t owner) {
    return caller.uid == 0 || caller.uid == owner;
}
// What concerns the daemon as a whole: root, and the user that it runs as.
[[nodiscard]] bool may_manage(const Caller& caller);

// Now, and not only when the daemon first met it.
[[nodiscard]] bool may_reach(const Caller& caller, pid_t pid, uid_t owner_then);

}  // namespace mpol::daemon

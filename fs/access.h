// SPDX-License-Identifier: Apache-2.0
// Who may see a process: ptrace(2)'s rule for PTRACE_MODE_READ_FSCREDS as far as user ids tell.
// Pure. Capabilities and security modules are the kernel's to judge: what passes here is opened
// with the caller's own credentials (act_as.h).
#pragma once

#include <sys/types.h>

#include <optional>
#include <string_view>

namespace mpol::fs {

// Of the system call that is being served, in the daemon's user namespace.
struct Caller {
    uid_t uid = 0;
    gid_t gid = 0;
    pid_t tid = 0;  // 0: in another pid namespace. To be told, not to decide by.
};

struct Ids {
    unsigned real = 0;
    unsigned effective = 0;
    unsigned saved = 0;
};

struct TaskCredentials {
    Ids uid;
    Ids gid;
    uid_t owner = 0;  // of /proc/PID/status: root's when the process is not dumpable
};

// From the text of /proc/PID/status, without the owner. Empty: not such a text.
[[nodiscard]] std::optional<TaskCredentials> parse_credentials(std::string_view status);

// Root may see all. Others need their ids to be all of the target's, and the target dumpable. An id
// that has no name here (-1) may see nothing.
[[nodiscard]] bool may_see(const Caller& caller, const TaskCredentials& target);

}  // namespace mpol::fs

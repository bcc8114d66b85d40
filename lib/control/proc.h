// SPDX-License-Identifier: Apache-2.0
// What /proc says of processes and threads, proc(5). Everything is read once through a descriptor of
// /proc/PID, which goes stale with the process: a reused pid is never met.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/nodemask.h"

namespace mpol::control {

struct TaskIds {
    pid_t inner_pid = 0;      // in its own (innermost) pid namespace
    uint64_t start_time = 0;  // field 22 of stat, clock ticks since boot
    bool exited = false;      // a zombie: its parent has not asked for it yet
};

// A whole small file below proc_fd; empty when it can't be read. At most 64 KiB.
[[nodiscard]] std::optional<std::string> read_small_file(int proc_fd, const std::string& path);

// The value of a "Name:\tvalue" line of a status file; empty when it has none.
[[nodiscard]] std::string_view status_field(std::string_view status, std::string_view name);

[[nodiscard]] std::optional<TaskIds> read_task_ids(int proc_fd);

// A thread's id in the target's innermost namespace, from the caller's, and back. Empty: the
// process has no such thread.
[[nodiscard]] std::optional<pid_t> inner_tid(int proc_fd, pid_t tid);
[[nodiscard]] std::optional<pid_t> outer_tid(int proc_fd, pid_t inner);

// The process that a thread belongs to; of a process's own id, itself.
[[nodiscard]] std::optional<pid_t> process_of(pid_t tid);
[[nodiscard]] std::optional<pid_t> parent_of(pid_t pid);
// The process that a pidfd refers to; -1 when it has exited. Empty: not a pidfd.
[[nodiscard]] std::optional<pid_t> process_of_pidfd(int pidfd);

// Mems_allowed_list of a process.
[[nodiscard]] std::optional<NodeMask> mems_allowed(pid_t pid);

// Numeric names in /proc, ascending.
[[nodiscard]] std::vector<pid_t> all_processes();

}  // namespace mpol::control

// SPDX-License-Identifier: Apache-2.0
// A process as one caller meets it: checked, then attached. Call within an ActAs: the check is on
// ids alone, and the kernel has the last word when something is opened. Thread-safe.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <tl/expected.hpp>
#include <vector>

#include "control/attach.h"
#include "fs/access.h"

namespace mpol::fs {

// A value or an errno: EACCES not the caller's process, ESRCH it has exited or is not attached,
// EPROTO its segment is damaged or of another version.
template <class T>
using Outcome = tl::expected<T, int>;

struct Task {
    uid_t owner = 0;  // of the files in /proc/PID
    gid_t group = 0;
    uint64_t start_time = 0;  // with the pid, tells a process from a later one
};

[[nodiscard]] Outcome<Task> check(const Caller& caller, pid_t pid);
[[nodiscard]] Outcome<control::Target> attach(const Caller& caller, pid_t pid,
                                              control::Access access);
[[nodiscard]] int errno_of(const control::Failure& failure);

[[nodiscard]] bool has_thread(pid_t pid, pid_t tid);
// Ascending; empty when the process has exited.
[[nodiscard]] std::vector<pid_t> threads_of(pid_t pid);

// The nodes against which the kernel contextualises a policy of the process.
[[nodiscard]] Outcome<NodeMask> allowed_nodes(pid_t pid);

}  // namespace mpol::fs

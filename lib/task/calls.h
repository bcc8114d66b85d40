// SPDX-License-Identifier: Apache-2.0
// The four calls of the RFC on a task, over control::Target. include/mpol/mpol.h is their contract;
// here the task is already resolved to a process and one of its threads.
#pragma once

#include <sys/types.h>

#include "control/attach.h"
#include "policy/policy.h"

namespace mpol::task {

// What set_mempolicy(2) and its kin were given, as the kernel has read it.
struct CallerPolicy {
    int mode_word = 0;
    NodeMask nodes{};
    unsigned long max_node = 0;  // 0: no mask
};

// Reads a caller's arguments. The kernel itself checks the mode word, maxnode and the pointer, by an
// mbind of no bytes. 0, -EINVAL or -EFAULT.
[[nodiscard]] int read_caller_policy(int mode_word, const unsigned long* nodemask,
                                     unsigned long maxnode, CallerPolicy& ret_policy);

// One thread of one process, by ids of the caller's pid namespace.
struct TaskName {
    pid_t pid = 0;
    pid_t tid = 0;
    int pidfd = -1;  // that named it; -1: it was named by its id
};
// 0, or -ESRCH.
[[nodiscard]] int find_task(pid_t tid, TaskName& ret_task);

// All return 0 or -errno. timeout_ms bounds the wait for the target.

[[nodiscard]] int set_policy(const TaskName& task, const CallerPolicy& asked, int timeout_ms);

// What the task's policy is now, as get_mempolicy(2) reports it: the mode word, and the user's nodes
// where a mode flag keeps them, else the effective ones.
struct Reported {
    int mode_word = 0;
    NodeMask nodes{};
    NodeMask effective{};
};
[[nodiscard]] int get_policy(const TaskName& task, Reported& ret_policy);
// MPOL_F_MEMS_ALLOWED.
[[nodiscard]] int get_allowed(const TaskName& task, NodeMask& ret_nodes);

// The target makes the system call on itself: its result.
[[nodiscard]] int ask(const TaskName& task, const control::Request& request, int timeout_ms,
                      control::Answer& ret_answer);

}  // namespace mpol::task

// SPDX-License-Identifier: Apache-2.0
// The tree that mpolfs shows, as names. Pure.
//
//   /                             every attached process that the caller may see
//   /PID/mempolicy                the process's policy
//   /PID/numa_maps                its regions
//   /PID/status                   what was asked for and what is in force
//   /PID/task/TID/mempolicy       one thread's policy
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mpol::fs {

enum class Kind {
    kRoot,
    kProcess,
    kTasks,
    kThread,
    kProcessPolicy,
    kThreadPolicy,
    kNumaMaps,
    kStatus,
};

struct Node {
    Kind kind = Kind::kRoot;
    pid_t pid = 0;  // of all but the root
    pid_t tid = 0;  // of kThread and kThreadPolicy

    friend bool operator==(const Node&, const Node&) = default;
};

// Empty: no such name. A number has one spelling: no sign, no leading zero.
[[nodiscard]] std::optional<Node> parse_path(std::string_view path);

[[nodiscard]] bool is_directory(Kind kind);
[[nodiscard]] bool is_writable(Kind kind);
// File type and permission bits, as /proc has them.
[[nodiscard]] mode_t mode_of(Kind kind);

// Names in a directory that are always there; numbers come in addition in the root and in task/.
[[nodiscard]] std::vector<std::string> fixed_names(Kind directory);

}  // namespace mpol::fs

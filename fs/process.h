// SPDX-License-Identifier: Apache-2.0
// What the files do, for one caller and one operation at a time: nothing of a process is kept
// between two calls. Every function checks the caller first, and is to be called within an ActAs.
// Thread-safe. Errors are those of task.h, and EIO for a policy that can't be read.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "fs/access.h"
#include "fs/path.h"
#include "fs/task.h"

namespace mpol::fs {

// That the node is there, and whose it is. Precondition: not the root.
[[nodiscard]] Outcome<Task> look_up(const Caller& caller, const Node& node);

// Names in a directory, fixed ones included.
[[nodiscard]] Outcome<std::vector<std::string>> list(const Caller& caller, const Node& node);

// Precondition: node is a file.
[[nodiscard]] Outcome<std::string> read_text(const Caller& caller, const Node& node);

// Publishes, and waits until the target has acted, for a bounded time. 0 also when it sleeps on:
// the policy is published, and status tells that it is pending. Else errno: EINVAL no policy, or
// one that leaves the target no node; ENODEV a thread that has never allocated; or the one with
// which the target failed to apply the policy. Precondition: is_writable(node.kind).
[[nodiscard]] int write_policy(const Caller& caller, const Node& node, std::string_view text);

}  // namespace mpol::fs

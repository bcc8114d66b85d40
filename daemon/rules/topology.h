// SPDX-License-Identifier: Apache-2.0
// What node sets are evaluated against: the machine, and one process's place on it. Values; read
// anew when a node comes or goes.
#pragma once

#include <sys/types.h>

#include <map>
#include <optional>
#include <vector>

#include "policy/contextualise.h"
#include "policy/nodemask.h"
#include "policy/parse.h"

namespace mpol::rules {

struct Topology {
    NodeMask online{};
    NodeMask has_memory{};
    NodeMask has_cpu{};
    std::map<unsigned, std::map<unsigned, unsigned>> distance{};  // [from][to]; 10 is a node itself
    std::map<unsigned, std::vector<bool>> cpus{};  // of each node that has some; empty: not told
    std::vector<NodeMask> tiers{};                 // fastest first; empty: the kernel tells none
    KernelModes kernel{};
    WeightTable auto_weights{};    // of ;weights=auto
    WeightTable system_weights{};  // of ;weights=system

    friend bool operator==(const Topology&, const Topology&) = default;
};

// What a process may use.
struct TargetNodes {
    NodeMask allowed{};                   // its cpuset's nodes that have memory
    NodeMask near{};                      // of the CPUs that it may run on
    std::map<pid_t, NodeMask> same_as{};  // nodes of the processes that a rule names
};

// --- From sysfs and /proc (read_topology.cc).

[[nodiscard]] Topology read_topology();
// Without same_as. Empty: no such process.
[[nodiscard]] std::optional<TargetNodes> read_target_nodes(pid_t pid, const Topology& topology);
// What the policy of a process means now; empty when it can't be read, or means no set of nodes.
[[nodiscard]] std::optional<NodeMask> read_policy_nodes(pid_t pid);

}  // namespace mpol::rules

// SPDX-License-Identifier: Apache-2.0
// The machine that figures belong to, read from sysfs and procfs once.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "policy/nodemask.h"

namespace mpol::bench {

struct Topology {
    NodeMask memory_nodes;                           // with memory that the caller may use
    std::map<unsigned, std::vector<unsigned>> cpus;  // by node, those that the caller may run on
    std::map<unsigned, uint64_t> memory_bytes;       // by node
    std::map<unsigned, uint64_t> free_bytes;
    std::map<unsigned, std::vector<unsigned>> distances;
    std::string processor, kernel, host, huge_pages, governor;
    uint64_t last_level_cache_bytes = 0;  // 0: not told
    bool is_virtual = false;

    // "host: processor, 2 memory nodes, Linux 6.1.0 (virtual machine), 2026-01-31"
    [[nodiscard]] std::string one_line() const;
    // All processors of all nodes.
    [[nodiscard]] std::vector<unsigned> all_cpus() const;
};

[[nodiscard]] Topology read_topology();

}  // namespace mpol::bench

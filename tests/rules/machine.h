// SPDX-License-Identifier: Apache-2.0
// Machines that don't exist.
#pragma once

#include <initializer_list>

#include "daemon/rules/topology.h"

namespace mpol::rules::test {

inline NodeMask nodes(std::initializer_list<unsigned> list) {
    NodeMask mask;
    for (const unsigned node : list) mask.set(node);
    return mask;
}

// Two sockets (0, 1), each with a memory expander (2 near 0, 3 near 1).
inline Topology two_sockets_with_expanders() {
    Topology machine;
    machine.online = machine.has_memory = nodes({0, 1, 2, 3});
    machine.has_cpu = nodes({0, 1});
    machine.tiers = {nodes({0, 1}), nodes({2, 3})};
    machine.distance = {{0, {{0, 10}, {1, 21}, {2, 17}, {3, 28}}},
                        {1, {{0, 21}, {1, 10}, {2, 28}, {3, 17}}},
                        {2, {{0, 17}, {1, 28}, {2, 10}, {3, 28}}},
                        {3, {{0, 28}, {1, 17}, {2, 28}, {3, 10}}}};
    return machine;
}

// Nodes 0, 4 and 9; 4 has CPUs only, 9 memory only.
inline Topology machine_with_holes() {
    Topology machine;
    machine.online = nodes({0, 4, 9});
    machine.has_memory = nodes({0, 9});
    machine.has_cpu = nodes({0, 4});
    machine.distance = {{0, {{0, 10}, {4, 20}, {9, 40}}}, {4, {{0, 20}, {4, 10}, {9, 20}}}};
    return machine;
}

// Allowed everything, with CPUs of one node.
inline TargetNodes on(const Topology& machine, unsigned node) {
    TargetNodes target;
    target.allowed = machine.has_memory;
    target.near = NodeMask::of(node);
    return target;
}

}  // namespace mpol::rules::test

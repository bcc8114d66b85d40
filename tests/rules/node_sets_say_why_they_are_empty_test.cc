// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "daemon/rules/nodes.h"
#include "machine.h"

namespace mpol::rules::test {
namespace {

std::string why(const char* text, const Topology& machine, const TargetNodes& target) {
    const auto set = parse_node_set(Word{text});
    if (!set || !set->symbolic) return "(not symbolic)";
    const NodesResult found = evaluate(*set, machine, target);
    return found ? "(not empty)" : found.error().problem + " | " + found.error().accepted;
}

TEST(EmptyNodeSet, SaysWhy) {
    Topology machine;
    machine.online = machine.has_memory = machine.has_cpu = nodes({0, 1});
    machine.distance = {{0, {{0, 10}, {1, 20}}}, {1, {{0, 20}, {1, 10}}}};
    const TargetNodes target = on(machine, 0);
    const std::string there = " | a set with a node of 0-1";
    EXPECT_EQ(why("memory-only", machine, target),
              "'memory-only' is no node here: every node with memory has CPUs" + there);
    EXPECT_EQ(why("tier:1", machine, target),
              "'tier:1' is no node here: this kernel tells of no memory tiers" + there);
    EXPECT_EQ(why("dist<=5", machine, target),
              "'dist<=5' is no node here: no node with memory is within 5 of its CPUs' nodes (0)" +
                  there);
    EXPECT_EQ(
        why("same-as:7", machine, target),
        "'same-as:7' is no node here: process 7 has no policy with nodes that can be read" + there);
    EXPECT_EQ(why("near!0-1", machine, target),
              "'near!0-1' leaves no node over: 0 less 0-1" + there);
    EXPECT_EQ(
        why("memory-only,dist<=1", machine, target),
        "'memory-only,dist<=1' is no node here: every node with memory has CPUs; no node with "
        "memory is within 1 of its CPUs' nodes (0)" +
            there);
}

TEST(EmptyNodeSet, SaysWhyOnAMachineWithHoles) {
    const Topology machine = machine_with_holes();
    EXPECT_EQ(
        why("near", machine, on(machine, 4)),
        "'near' is no node here: its CPUs' nodes (4) have no memory | a set with a node of 0,9");
    EXPECT_EQ(why("near,4", machine, on(machine, 0)), "node 4 has no memory | nodes 0,9");
    EXPECT_EQ(why("near,5", machine, on(machine, 0)), "node 5 does not exist | nodes 0,9");
}

TEST(EmptyNodeSet, SaysHowManyTiersThereAre) {
    const Topology machine = two_sockets_with_expanders();
    EXPECT_EQ(why("tier:3", machine, on(machine, 0)),
              "'tier:3' is no node here: tier 3 of 2 has no memory | a set with a node of 0-3");
}

}  // namespace
}  // namespace mpol::rules::test

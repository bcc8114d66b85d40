// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "daemon/rules/nodes.h"
#include "machine.h"
#include "policy/text.h"

namespace mpol::rules::test {
namespace {

std::string evaluated(const char* text, const Topology& machine, const TargetNodes& target) {
    const auto set = parse_node_set(Word{text});
    if (!set || !set->symbolic) return "(not symbolic)";
    const NodesResult found = evaluate(*set, machine, target);
    return found ? nodes_text(*found) : "(" + found.error().problem + ")";
}

struct Row {
    const char* set;
    const char* nodes;
};

TEST(NodeSet, OnTwoSocketsWithExpanders) {
    const Topology machine = two_sockets_with_expanders();
    const Row rows[] = {
        {"cpu-nodes", "0-1"},
        {"memory-only", "2-3"},
        {"near", "0"},
        {"dist<=10", "0"},
        {"dist<=20", "0,2"},
        {"dist<=21", "0-2"},
        {"dist<=255", "0-3"},
        {"tier:1", "0-1"},
        {"tier:2", "2-3"},
        {"near,memory-only", "0,2-3"},
        {"near 3", "0,3"},
        {"all!near", "1-3"},
        {"!near", "1-3"},
        {"!memory-only", "0-1"},
        {"memory-only!3", "2"},
        {"0-3!2", "0-1,3"},
        {"0-3 ! 2, near", "1,3"},
        {"all!0,memory-only", "1"},
        {"0-3:1/2,near", "0,2"},
        {" , near , ", "0"},
    };
    for (const Row& row : rows) {
        EXPECT_EQ(evaluated(row.set, machine, on(machine, 0)), row.nodes) << row.set;
    }
    EXPECT_EQ(evaluated("dist<=20", machine, on(machine, 1)), "1,3");
}

TEST(NodeSet, OnAMachineWithHoles) {
    const Topology machine = machine_with_holes();
    const TargetNodes target = on(machine, 4);
    EXPECT_EQ(evaluated("cpu-nodes", machine, target), "0");
    EXPECT_EQ(evaluated("memory-only", machine, target), "9");
    EXPECT_EQ(evaluated("dist<=20", machine, target), "0,9");
    EXPECT_EQ(evaluated("!memory-only", machine, target), "0");
    EXPECT_EQ(evaluated("all!9", machine, target), "0");
}

TEST(NodeSet, OfCpusOnSeveralNodesIsNearAllOfThem) {
    const Topology machine = two_sockets_with_expanders();
    TargetNodes target = on(machine, 0);
    target.near = nodes({0, 1});
    EXPECT_EQ(evaluated("near", machine, target), "0-1");
    EXPECT_EQ(evaluated("dist<=17", machine, target), "0-3");
}

TEST(NodeSet, OnlyAllIsCutToTheCpuset) {
    const Topology machine = two_sockets_with_expanders();
    TargetNodes target = on(machine, 0);
    target.allowed = nodes({1, 2});
    EXPECT_EQ(evaluated("all,near", machine, target), "0-2");
    EXPECT_EQ(evaluated("!near", machine, target), "1-2");
    EXPECT_EQ(evaluated("cpu-nodes", machine, target), "0-1");
}

TEST(NodeSet, FollowsAnotherProcess) {
    const Topology machine = two_sockets_with_expanders();
    TargetNodes target = on(machine, 0);
    target.same_as[4242] = nodes({1, 3});
    EXPECT_EQ(evaluated("same-as:4242", machine, target), "1,3");
    EXPECT_EQ(evaluated("same-as:4242!3", machine, target), "1");
}

TEST(NodeSet, ChangesWithTheMachine) {
    Topology machine = two_sockets_with_expanders();
    const auto set = parse_node_set(Word{"memory-only"});
    ASSERT_TRUE(set.has_value());
    EXPECT_EQ(evaluate(*set, machine, on(machine, 0)), nodes({2, 3}));
    machine.has_memory.clear(2);
    EXPECT_EQ(evaluate(*set, machine, on(machine, 0)), nodes({3}));
}

TEST(NodeSet, WithoutNamesIsLeftToTheLenientParser) {
    for (const char* text : {"0-3", "all", "!2", "+0-1", "!+0", "0-3:1/2", "", "ALL"}) {
        const auto set = parse_node_set(Word{text});
        ASSERT_TRUE(set.has_value()) << text;
        EXPECT_FALSE(set->symbolic) << text;
    }
}

}  // namespace
}  // namespace mpol::rules::test

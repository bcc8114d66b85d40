// SPDX-License-Identifier: Apache-2.0
// What numbers, "all", "!" and "+" mean depends on which nodes exist, have memory and are allowed.
#include <gtest/gtest.h>

#include "machine.h"

namespace mpol::test {
namespace {

// Nodes 0, 1, 4, 5 have memory, 2 has only CPUs, 1, 4, 5 are allowed.
ParseContext sparse_machine() {
    ParseContext context;
    context.has_memory = nodes({0, 1, 4, 5});
    context.online = nodes({0, 1, 2, 4, 5});
    context.allowed = nodes({1, 2, 4, 5});
    return context;
}

TEST(LenientNodes, AllIsEveryAllowedNodeWithMemory) {
    EXPECT_EQ(parse_nodes("all", sparse_machine()), nodes({1, 4, 5}));
    EXPECT_EQ(parse_nodes("ALL", sparse_machine()), nodes({1, 4, 5}));
    EXPECT_EQ(parse_nodes("0,all", sparse_machine()), nodes({0, 1, 4, 5}));
}

TEST(LenientNodes, BangIsTheRestOfTheAllowedNodes) {
    EXPECT_EQ(parse_nodes("!4", sparse_machine()), nodes({1, 5}));
    EXPECT_EQ(parse_nodes("!0", sparse_machine()), nodes({1, 4, 5}));
    EXPECT_FALSE(parse_nodes("!all", sparse_machine()).has_value());
    EXPECT_FALSE(parse_nodes("!", sparse_machine()).has_value());
}

TEST(LenientNodes, PlusCountsTheAllowedNodes) {
    EXPECT_EQ(parse_nodes("+0", sparse_machine()), nodes({1}));
    EXPECT_EQ(parse_nodes("+1-2", sparse_machine()), nodes({4, 5}));
    EXPECT_EQ(parse_nodes("!+0", sparse_machine()), nodes({4, 5}));
    EXPECT_FALSE(parse_nodes("+3", sparse_machine()).has_value());
    EXPECT_FALSE(parse_nodes("+all", sparse_machine()).has_value());
    EXPECT_FALSE(parse_nodes("+!0", sparse_machine()).has_value());
    EXPECT_FALSE(parse_nodes("1,+0", sparse_machine()).has_value());
}

TEST(LenientNodes, InterleaveWithoutNodesIsEveryNodeWithMemory) {
    const ParseResult result = parse_lenient("interleave", sparse_machine());
    ASSERT_TRUE(result.has_value());
    EXPECT_EQ(result->nodes, nodes({0, 1, 4, 5}));
}

TEST(LenientNodes, NamedNodesNeedMemoryButNoPermission) {
    EXPECT_EQ(parse_nodes("0", sparse_machine()), nodes({0}));
    EXPECT_FALSE(parse_nodes("2", sparse_machine()).has_value());
    EXPECT_FALSE(parse_nodes("0-1,3", sparse_machine()).has_value());
    EXPECT_FALSE(parse_nodes("0-5", sparse_machine()).has_value());
    EXPECT_EQ(parse_nodes("0-5:2/4", sparse_machine()), nodes({0, 1, 4, 5}));
}

TEST(LenientNodes, AbsentNodesMayBeNamedWhenTheCallerSaysSo) {
    ParseContext context = sparse_machine();
    context.allow_absent_nodes = true;
    EXPECT_EQ(parse_nodes("2-3,1023", context), nodes({2, 3, 1023}));
    EXPECT_FALSE(parse_nodes("1024", context).has_value());
    EXPECT_FALSE(parse_nodes("99999999999999999999", context).has_value());
    const ParseResult home = parse_lenient("bind:0;home=9", context);
    ASSERT_TRUE(home.has_value());
    EXPECT_EQ(home->home_node, 9);
    EXPECT_FALSE(parse_lenient("bind:0;home=1024", context).has_value());
}

TEST(LenientNodes, AHomeNodeNeedsNoMemory) {
    EXPECT_TRUE(parse_lenient("bind:0;home=2", sparse_machine()).has_value());
    EXPECT_FALSE(parse_lenient("bind:0;home=3", sparse_machine()).has_value());
}

TEST(LenientNodes, OrdinalsOfRelativePoliciesNeedNoSuchNode) {
    const ParseResult result = parse_lenient("bind=relative:2,700-701", sparse_machine());
    ASSERT_TRUE(result.has_value());
    EXPECT_EQ(result->nodes, nodes({2, 700, 701}));
    EXPECT_FALSE(parse_lenient("bind=relative:1024", sparse_machine()).has_value());
}

TEST(LenientNodes, AMachineWithoutNodesRefusesEveryList) {
    const ParseContext nothing;
    for (const char* text : {"interleave", "bind:0", "bind:all", "bind:!0", "bind:+0"}) {
        EXPECT_FALSE(parse_lenient(text, nothing).has_value()) << text;
    }
    EXPECT_TRUE(parse_lenient("local", nothing).has_value());
}

TEST(LenientNodes, TextIsBounded) {
    const std::string long_list(kLenientTextBytesMax + 1, '0');
    EXPECT_FALSE(parse_nodes(long_list, sparse_machine()).has_value());
    EXPECT_FALSE(parse_lenient("bind:" + long_list, sparse_machine()).has_value());
}

}  // namespace
}  // namespace mpol::test

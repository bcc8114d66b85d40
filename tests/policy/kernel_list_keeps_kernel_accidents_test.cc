// SPDX-License-Identifier: Apache-2.0
// bitmap_parselist() of linux lib/bitmap-str.c on a mask of four nodes; the expected sets follow
// from its source.
#include <gtest/gtest.h>

#include <optional>

#include "machine.h"

namespace mpol::test {
namespace {

struct Row {
    std::string_view text;
    std::optional<NodeMask> nodes;  // nullopt: rejected
};

void expect_rows(std::initializer_list<Row> rows) {
    for (const Row& row : rows) {
        SCOPED_TRACE(std::string(row.text));
        const NodesResult result = parse_kernel_list(row.text, 4);
        const auto parsed = result ? std::optional(*result) : std::nullopt;
        EXPECT_EQ(parsed, row.nodes);
    }
}

TEST(KernelList, LastNodeAndAllFollowTheWidthOfTheMask) {
    expect_rows({
        {"N", nodes({3})},
        {"n", std::nullopt},
        {"0-N", span(0, 3)},
        {"N-N", nodes({3})},
        {"N-0", std::nullopt},
        {"all", span(0, 3)},
        {"aLL", span(0, 3)},
        {"all:1/2", nodes({0, 2})},
        {"0-N:1/2", nodes({0, 2})},
        {"0-3:1/N", nodes({0, 3})},
        {"all-3", std::nullopt},
        {"alls", std::nullopt},
        {"0-all", std::nullopt},
        {"4", std::nullopt},
        {"0-4", std::nullopt},
    });
}

TEST(KernelList, GroupsAreChecked) {
    expect_rows({
        {"0-3:2/2", span(0, 3)},
        {"1-3:1/2", nodes({1, 3})},
        {"0-3:3/2", std::nullopt},
        {"0-3:1/0", std::nullopt},
        {"0-3:0/0", std::nullopt},
        {"0-3:0/2", NodeMask{}},
        {"0-3:0/2,1", nodes({1})},
        {"0-3:1", std::nullopt},
        {"0-3:1/", std::nullopt},
        {"0-3:/2", std::nullopt},
        {"0-3:", std::nullopt},
        {"0:1/2", std::nullopt},
        {"0-0:1/2", nodes({0})},
        {"0-3:1/9", nodes({0})},
    });
}

TEST(KernelList, NothingSeparatesAGroupFromTheNextRegion) {
    expect_rows({
        {"0-1:1/2N", nodes({0, 3})},
        {"0-1:1/2all", span(0, 3)},
        {"0-1:1/N2", nodes({0, 2})},
        {"0-1:1/2-3", std::nullopt},
        {"0-1:1/2 3", nodes({0, 3})},
        {"0-1:1/2\n3", nodes({0, 3})},
    });
}

TEST(KernelList, NewlineEndsTheListOnlyRightBehindARegion) {
    expect_rows({
        {"0\n3", nodes({0})},
        {"0\ngarbage", nodes({0})},
        {"0-1\n3", span(0, 1)},
        {"all:1/2\n3", nodes({0, 2, 3})},
        {"0 \n3", nodes({0, 3})},
        {"0,\n3", nodes({0, 3})},
        {"\n0", nodes({0})},
        {"\n", NodeMask{}},
    });
}

TEST(KernelList, BlanksAreLatin1AndMayBeAnywhereBetween) {
    expect_rows({
        {"", NodeMask{}},
        {",", NodeMask{}},
        {"  ,, \t\v\f\r", NodeMask{}},
        {"\t0\v1\f2\r3", span(0, 3)},
        {"\xa0"
         "0\xa0"
         "2",
         nodes({0, 2})},
        {"\xa1"
         "0",
         std::nullopt},
        {"0 - 1", std::nullopt},
        {"0- 1", std::nullopt},
        {"0-1 :1/2", std::nullopt},
        {"0;1", std::nullopt},
    });
}

TEST(KernelList, NumbersOverflowInsteadOfWrapping) {
    expect_rows({
        {"4294967295", std::nullopt},
        {"4294967296", std::nullopt},
        {"18446744073709551616", std::nullopt},
        {"99999999999999999999999999", std::nullopt},
        {"0-4294967296", std::nullopt},
        {"0-3:1/4294967296", std::nullopt},
        {"0-3:4294967296/4294967296", std::nullopt},
        {"0000000000000000000000000002", nodes({2})},
    });
}

TEST(KernelList, HugeGroupsWrapTheCounterOfTheKernel) {
    expect_rows({
        {"0-3:1/4294967295", nodes({0})},
        {"1-3:1/4294967295", nodes({0, 1})},
        {"2-3:1/4294967295", nodes({0, 1, 2})},
        {"3-3:1/4294967294", nodes({1, 3})},
        {"1-3:4294967295/4294967295", span(0, 3)},
    });
}

TEST(KernelList, WidthIsHeldWithinBounds) {
    EXPECT_EQ(parse_kernel_list("N", 0), nodes({0}));
    EXPECT_EQ(parse_kernel_list("all", kMaxNodes), NodeMask::first_nodes(kMaxNodes));
    EXPECT_EQ(parse_kernel_list("N", kMaxNodes + 1), nodes({kMaxNodes - 1}));
}

}  // namespace
}  // namespace mpol::test

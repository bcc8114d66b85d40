// SPDX-License-Identifier: Apache-2.0
// Linux 6.16, mm/mempolicy.c reduce_interleave_weights(): vectors worked out by hand from its text.
#include <gtest/gtest.h>

#include "machine.h"
#include "policy/weights.h"

namespace mpol::test {
namespace {

std::vector<unsigned> rule(const std::vector<uint32_t>& bandwidths) {
    Bandwidths table;
    std::copy(bandwidths.begin(), bandwidths.end(), table.of);
    const NodeMask has_memory = NodeMask::first_nodes(static_cast<unsigned>(bandwidths.size()));
    const KernelWeights weights = weights_of_bandwidths(has_memory, table);
    return {weights.of, weights.of + bandwidths.size()};
}

using List = std::vector<unsigned>;

}  // namespace

TEST(AutoWeights, ArePartsOf32ReducedByWhatDividesAll) {
    EXPECT_EQ(rule({40000, 40000, 40000, 10000}), (List{9, 9, 9, 2}));  // the virtual machine's
    EXPECT_EQ(rule({224, 64}), (List{24, 7}));
    EXPECT_EQ(rule({300, 100}), (List{3, 1}));  // 24 and 8
    EXPECT_EQ(rule({100, 100}), (List{1, 1}));  // 16 and 16
    EXPECT_EQ(rule({500}), (List{1}));
    EXPECT_EQ(rule({100, 100, 100}), (List{1, 1, 1}));
}

TEST(AutoWeights, AreAtLeastOne) {
    EXPECT_EQ(rule({100000, 100}), (List{31, 1}));
    EXPECT_EQ(rule({31, 1}), (List{31, 1}));
    EXPECT_EQ(rule({320, 0}), (List{32, 1}));  // nothing known of the second
    EXPECT_EQ(rule({0, 0}), (List{1, 1}));
}

TEST(AutoWeights, CountOnlyNodesWithMemory) {
    Bandwidths table;
    table.of[0] = 300;
    table.of[1] = 999;  // no memory
    table.of[2] = 100;
    const KernelWeights weights = weights_of_bandwidths(nodes({0, 2}), table);
    EXPECT_EQ(weights.of[0], 3);
    EXPECT_EQ(weights.of[1], 0);
    EXPECT_EQ(weights.of[2], 1);
    (void)weights_of_bandwidths({}, table);
}

// weightiness * bw is an unsigned int there.
TEST(AutoWeights, WrapWhereTheKernelDoes) {
    EXPECT_EQ(rule({1U << 27, 1U << 27}), (List{1, 1}));
    EXPECT_EQ(rule({(1U << 27) + 1, 1}), (List{1, 1}));
}

}  // namespace mpol::test

// SPDX-License-Identifier: Apache-2.0
// New weights hold for what is touched from then on, in memory allocated before and after; a plain
// policy afterwards holds everywhere and leaves one mapping.
#include "weights.h"

namespace mpol::test {

using RewrittenWeights = FourNodes;

TEST_F(RewrittenWeights, LeaveTouchedPagesWhereTheyAre) {
    constexpr size_t kHalf = kGib / 4;
    Placed bench;
    control::Target target = bench.attach();
    const Policy first = weighted({5, 3, 2, 1});
    const Policy second = weighted({1, 1, 1, 9});
    bench.set_all(target, first);
    const uint64_t at = bench.allocate(0, 2 * kHalf);
    bench.touch(0, at, kHalf);
    const Nodes before = bench.nodes(at, kHalf);
    expect_shares(before, first, 0.08);

    bench.set_all(target, second);
    bench.touch(0, at + kHalf, kHalf);
    EXPECT_EQ(bench.nodes(at, kHalf), before);
    expect_shares(bench.nodes(at + kHalf, kHalf), second, 0.08);

    bench.set_all(target, bind_to({2}));
    EXPECT_TRUE(only_on(bench.fault_new(0, kLarge), NodeMask::of(2)));
    EXPECT_EQ(policy_at(bench.pid(), at), "bind:2");
    EXPECT_EQ(bench.nodes(at, kHalf), before);
}

}  // namespace mpol::test

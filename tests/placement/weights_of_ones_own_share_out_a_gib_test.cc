// SPDX-License-Identifier: Apache-2.0
// 5,3,2,1 over 1 GiB: every node within 1 % of its weight, by small and by huge pages, for a
// process and for one thread; on kernels without weighted interleave too.
#include "weights.h"

namespace mpol::test {

using OwnWeights = FourNodes;

TEST_F(OwnWeights, ShareOutTheProcesssMemory) {
    const Policy policy = weighted({5, 3, 2, 1});
    for (const bool huge_pages : {false, true}) {
        Placed bench({}, huge_pages);
        control::Target target = bench.attach();
        bench.set_all(target, policy);
        const uint64_t at = bench.allocate(0, kGib);
        bench.touch(0, at, kGib);
        expect_shares(bench.nodes(at, kGib), policy, 0.01);
    }
}

TEST_F(OwnWeights, ShareOutOneThreadsMemory) {
    const Policy policy = weighted({5, 3, 2, 1});
    Placed bench;
    const unsigned worker = bench.start_thread(0);
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({2}), {0, worker});
    bench.set_one(target, policy, worker);
    const uint64_t at = bench.allocate(worker, kGib);
    bench.touch(worker, at, kGib);
    expect_shares(bench.nodes(at, kGib), policy, 0.01);
    EXPECT_TRUE(only_on(bench.fault_new(0, kLarge), NodeMask::of(2)));
}

// A GiB that begins and ends inside periods, and reaches into another region; one huge page is 2.1
// % of the last node's part.
TEST_F(OwnWeights, ShareOutAGibThatBeginsInsideAFrame) {
    const Policy policy = weighted({5, 3, 2, 1});
    for (const bool huge_pages : {false, true}) {
        Placed bench({}, huge_pages);
        control::Target target = bench.attach();
        bench.set_all(target, policy);
        (void)bench.allocate(0, kGib / 8 * 3);  // Never touched.
        const uint64_t at = bench.allocate(0, kGib);
        bench.touch(0, at, kGib);
        expect_shares(bench.nodes(at, kGib), policy, huge_pages ? 0.03 : 0.01);
    }
}

// Where the periods become longer, at the end of a heap's first 4 GiB, it begins behind that.
TEST_F(OwnWeights, ShareOutAGibThatBeginsNearTheEndOfTheFirstFour) {
    const Policy policy = weighted({5, 3, 2, 1});
    Placed bench;
    control::Target target = bench.attach();
    bench.set_all(target, policy);
    (void)bench.allocate(0, kGib / 2 * 7);  // Never touched.
    const uint64_t at = bench.allocate(0, kGib);
    bench.touch(0, at, kGib);
    expect_shares(bench.nodes(at, kGib), policy, 0.01);
}

// What lies between the blocks is jemalloc's to use later, so what is touched is no GiB in one
// piece.
TEST_F(OwnWeights, ShareOutAGibInBlocksWithGaps) {
    constexpr size_t kBlock = kGib / 8;
    const Policy policy = weighted({5, 3, 2, 1});
    Placed bench;
    control::Target target = bench.attach();
    bench.set_all(target, policy);
    Nodes all;
    for (int block = 0; block < 8; ++block) {
        const uint64_t at = bench.allocate(0, kBlock);
        bench.touch(0, at, kBlock);
        for (const auto& [node, pages] : bench.nodes(at, kBlock)) all[node] += pages;
    }
    expect_shares(all, policy, 0.03);
}

// With the gaps between them they meet some stretches of a period more often than others: 9.4 %
// less on node 1 where all 64 lie as they mostly do, and 1.6 % for each that does not.
TEST_F(OwnWeights, ShareOutManySmallBlocks) {
    const Policy policy = weighted({3, 1});
    Placed bench;
    control::Target target = bench.attach();
    bench.set_all(target, policy);
    bench.allocate_many(0, 64, size_t{4} << 20);
    bench.touch_many(0, size_t{4} << 20);
    expect_shares(bench.nodes_of_many(0, size_t{4} << 20), policy, 0.15);
}

TEST_F(OwnWeights, ComeFromTheKernelsModeOrNot) {
    Placed bench;
    control::Target target = bench.attach();
    bench.set_all(target, weighted({5, 3, 2, 1}));
    const uint64_t at = bench.allocate(0, kLarge);
    EXPECT_TRUE(policy_at(bench.pid(), at).starts_with("interleave:"));
    EXPECT_EQ(task_policy(bench.pid()), kernel_knows(Mode::kWeightedInterleave)
                                            ? "weighted interleave:0-3"
                                            : "interleave:0-3");
}

}  // namespace mpol::test

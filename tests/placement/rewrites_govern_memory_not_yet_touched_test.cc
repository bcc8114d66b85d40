// SPDX-License-Identifier: Apache-2.0
// One block, touched in quarters between rewrites: each quarter lies where the policy of its time
// said, without a call of the program in between.
#include "placement.h"

namespace mpol::test {

using Rewrites = FourNodes;

TEST_F(Rewrites, MoveTheFutureOnly) {
    Placed bench;
    const unsigned worker = bench.start_thread(0);
    const uint64_t block = bench.allocate(worker, 4 * kLarge);
    control::Target target = bench.attach();
    for (const unsigned node : {3U, 0U, 2U, 1U}) {
        bench.set_all(target, bind_to({node}), {});  // Nobody calls: the helper does it.
        const Nodes now = bench.fault(worker, block + node * kLarge, kLarge);
        EXPECT_TRUE(only_on(now, NodeMask::of(node))) << now;
    }
    for (const unsigned node : {0U, 1U, 2U, 3U}) {
        EXPECT_TRUE(only_on(bench.nodes(block + node * kLarge, kLarge), NodeMask::of(node)));
    }
}

TEST_F(Rewrites, ReachWhatIsFreedAndAllocatedAgain) {
    Placed bench;
    const unsigned worker = bench.start_thread(0);
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({1}), {0, worker});
    // Small, middling and large, faulted on node 1 and freed into the thread's cache and jemalloc's
    // dirty extents.
    for (const size_t size : {size_t{64}, size_t{10'000}, size_t{100'000}, size_t{3'000'000}}) {
        bench.allocate_many(worker, (size_t{8} << 20) / size, size);
        bench.touch_many(worker, size);
        bench.release_many(worker);
    }
    bench.set_all(target, bind_to({2}), {0, worker});
    for (const size_t size : {size_t{10'000}, size_t{100'000}, size_t{3'000'000}}) {
        bench.allocate_many(worker, (size_t{8} << 20) / size, size);
        bench.touch_many(worker, size);
        const Nodes nodes = bench.nodes_of_many(worker, size);
        EXPECT_TRUE(only_on(nodes, NodeMask::of(2))) << size << ":" << nodes;
        bench.release_many(worker);
    }
    bench.allocate_many(worker, kSmallObjects, 64);
    bench.touch_many(worker, 64);
    const Nodes small = bench.nodes_of_many(worker, 64);
    EXPECT_TRUE(only_on(small, NodeMask::of(2))) << small;
}

}  // namespace mpol::test

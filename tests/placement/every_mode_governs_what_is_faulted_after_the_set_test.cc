// SPDX-License-Identifier: Apache-2.0
// For each mode: memory that was malloc'ed before the set and not touched, new large blocks and new
// small objects all follow it, page by page; touched pages stay.
#include <fstream>

#include "placement.h"

namespace mpol::test {
namespace {

class EveryMode : public FourNodes {
  protected:
    // Has one worker; leaves kLarge bytes malloc'ed before the set in untouched_.
    void apply(Placed& bench, const Policy& policy) {
        worker_ = bench.start_thread(0);
        untouched_ = bench.allocate(worker_, kLarge);
        const uint64_t touched = bench.allocate(worker_, kLarge);
        bench.fault(worker_, touched, kLarge);
        const Nodes before = bench.nodes(touched, kLarge);
        control::Target target = bench.attach();
        bench.set_all(target, policy, {0, worker_});
        EXPECT_EQ(bench.nodes(touched, kLarge), before) << "touched pages stay";
        EXPECT_TRUE(bench.nodes(untouched_, kLarge).empty());
    }

    void expect_all_on(const Policy& policy, std::initializer_list<unsigned> list) {
        Placed bench;
        apply(bench, policy);
        const NodeMask mask = bind_to(list).nodes;
        const Nodes earlier = bench.fault(worker_, untouched_, kLarge);
        EXPECT_EQ(total(earlier), kLarge / kPage);
        EXPECT_TRUE(only_on(earlier, mask)) << earlier;
        for (const unsigned thread : {0U, worker_}) {
            const Nodes large = bench.fault_new(thread, kLarge);
            EXPECT_TRUE(only_on(large, mask)) << large;
            const Nodes small = bench.fault_small(thread, kSmallObjects);
            EXPECT_TRUE(only_on(small, mask)) << small;
            EXPECT_GT(total(small), kSmallObjects * 64 / kPage * 9 / 10);
        }
    }

    unsigned worker_ = 0;
    uint64_t untouched_ = 0;
};

// Ends with the mode's own rule put back.
class Weights {
  public:
    explicit Weights(std::initializer_list<unsigned> weights) {
        for (const unsigned weight : weights) write(node_++, std::to_string(weight));
    }
    ~Weights() {
        while (node_ > 0) write(--node_, "0");
    }
    Weights(const Weights&) = delete;
    Weights& operator=(const Weights&) = delete;

  private:
    static void write(unsigned node, const std::string& text) {
        std::ofstream("/sys/kernel/mm/mempolicy/weighted_interleave/node" + std::to_string(node))
            << text << std::flush;
    }
    unsigned node_ = 0;
};

}  // namespace

TEST_F(EveryMode, Bind) {
    expect_all_on(bind_to({2}), {2});
    expect_all_on(bind_to({1, 3}), {1, 3});
}

TEST_F(EveryMode, Prefer) {
    expect_all_on(make_policy(Mode::kPreferred, {3}), {3});
}

TEST_F(EveryMode, PreferMany) {
    expect_all_on(make_policy(Mode::kPreferredMany, {1, 2}), {1, 2});
}

TEST_F(EveryMode, BindWithHomeNode) {
    Policy policy = bind_to({1, 2, 3});
    policy.home_node = 2;
    expect_all_on(policy, {2});
}

TEST_F(EveryMode, StaticAndRelativeNodes) {
    Policy policy = bind_to({1});
    policy.flags = kStaticNodes;
    expect_all_on(policy, {1});
    policy.flags = kRelativeNodes;
    policy.nodes = bind_to({2}).nodes;
    expect_all_on(policy, {2});
}

TEST_F(EveryMode, InterleaveByPageNumber) {
    const Policy policy = make_policy(Mode::kInterleave, {0, 1, 3});
    Placed bench;
    apply(bench, policy);
    bench.fault(worker_, untouched_, kLarge);
    expect_interleaved(bench.order(untouched_, kLarge), untouched_, policy.nodes);
    for (const unsigned thread : {0U, worker_}) {
        const uint64_t large = bench.allocate(thread, kLarge);
        const Nodes nodes = bench.fault(thread, large, kLarge);
        expect_interleaved(bench.order(large, kLarge), large, policy.nodes);
        EXPECT_EQ(nodes.size(), 3U);
        for (const auto& [node, pages] : nodes) EXPECT_NEAR(pages, kLarge / kPage / 3, 1.) << node;
        const Nodes small = bench.fault_small(thread, kSmallObjects);
        EXPECT_TRUE(only_on(small, policy.nodes)) << small;
        EXPECT_EQ(small.size(), 3U) << small;
    }
}

TEST_F(EveryMode, WeightedInterleaveByTheSystemsWeights) {
    if (!kernel_knows(Mode::kWeightedInterleave)) {
        GTEST_SKIP() << "this kernel refuses weighted interleave (new in 6.9)";
    }
    const Weights weights{3, 2, 1};
    const Policy policy = make_policy(Mode::kWeightedInterleave, {0, 1, 2});
    Placed bench;
    apply(bench, policy);
    for (const uint64_t block : {untouched_, bench.allocate(worker_, kLarge)}) {
        const Nodes nodes = bench.fault(worker_, block, kLarge);
        EXPECT_TRUE(only_on(nodes, policy.nodes)) << nodes;
        for (unsigned node = 0; node < 3; ++node) {
            const size_t weight = 3 - node;
            EXPECT_NEAR(nodes.at(static_cast<int>(node)), kLarge / kPage * weight / 6, 3.) << node;
        }
    }
}

TEST_F(EveryMode, LocalToTheFaultingProcessor) {
    Placed bench;
    apply(bench, make_policy(Mode::kLocal, {}));
    const unsigned other = bench.start_thread(0);
    for (const unsigned cpu : {0U, 1U, 2U}) {
        for (const unsigned thread : {worker_, other}) {
            bench.pin(thread, cpu);
            const NodeMask node = NodeMask::of(cpu);
            EXPECT_TRUE(only_on(bench.fault_new(thread, kLarge), node));
            // Only large blocks: a small object's page may have been touched from elsewhere.
        }
    }
    // Not where it was malloc'ed, but where it is touched.
    bench.pin(worker_, 0);
    const uint64_t block = bench.allocate(worker_, kLarge);
    bench.pin(worker_, 1);
    EXPECT_TRUE(only_on(bench.fault(worker_, block, kLarge), NodeMask::of(1)));
}

TEST_F(EveryMode, DefaultTakesAPolicyAway) {
    Placed bench;
    apply(bench, bind_to({3}));
    control::Target target = bench.attach();
    bench.set_all(target, Policy{}, {0, worker_});
    bench.pin(worker_, 2);
    EXPECT_TRUE(only_on(bench.fault(worker_, untouched_, kLarge), NodeMask::of(2)));
    EXPECT_TRUE(only_on(bench.fault_new(worker_, kLarge), NodeMask::of(2)));
}

TEST_F(EveryMode, GovernsHugePagesToo) {
    Placed bench({}, true);
    const unsigned worker = bench.start_thread(0);
    const uint64_t untouched = bench.allocate(worker, 4 * kLarge);
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({2}), {0, worker});
    EXPECT_TRUE(only_on(bench.fault(worker, untouched, kLarge), NodeMask::of(2)));
    bench.touch(worker, untouched, 4 * kLarge);
    EXPECT_TRUE(only_on(bench.nodes(untouched, 4 * kLarge), NodeMask::of(2)));
}

}  // namespace mpol::test

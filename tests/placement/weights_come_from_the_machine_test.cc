// SPDX-License-Identifier: Apache-2.0
// weights=auto is the rule of Linux 6.16 on the bandwidths in sysfs, weights=system the kernel's
// table; where there is none, that is said.
#include <fstream>

#include "policy/parse.h"
#include "policy/weights.h"
#include "task/machine.h"
#include "weights.h"

namespace mpol::test {
namespace {

// 0: there is no such file.
unsigned number_in(const std::string& path) {
    std::ifstream file(path);
    unsigned number = 0;
    file >> number;
    return number;
}

ParseResult parse(const std::string& text) {
    ParseContext context;
    context.has_memory = task::node_list("has_memory");
    task::add_weights(text, context);
    return parse_lenient(text, context);
}

}  // namespace

using MachineWeights = FourNodes;

TEST_F(MachineWeights, AutoFollowsTheBandwidths) {
    Bandwidths bandwidths;
    for (unsigned node = 0; node < 4; ++node) {
        const std::string folder =
            "/sys/devices/system/node/node" + std::to_string(node) + "/access1/initiators/";
        bandwidths.of[node] =
            std::min(number_in(folder + "read_bandwidth"), number_in(folder + "write_bandwidth"));
        std::cout << "node " << node << ": " << bandwidths.of[node] << " MB/s" << std::endl;
    }
    if (bandwidths.of[0] == 0) GTEST_SKIP() << "no HMAT";
    const auto policy = parse("weighted interleave:0-3;weights=auto");
    ASSERT_TRUE(policy);
    const KernelWeights expected = weights_of_bandwidths(NodeMask::first_nodes(4), bandwidths);
    for (unsigned node = 0; node < 4; ++node) EXPECT_EQ(policy->weights[node], expected.of[node]);

    Placed bench;
    control::Target target = bench.attach();
    bench.set_all(target, *policy);
    const uint64_t at = bench.allocate(0, kGib);
    bench.touch(0, at, kGib);
    expect_shares(bench.nodes(at, kGib), *policy, 0.01);
}

TEST_F(MachineWeights, SystemIsTheKernelsTable) {
    const std::string table = "/sys/kernel/mm/mempolicy/weighted_interleave/node";
    const auto policy = parse("weighted interleave:0-3;weights=system");
    if (!kernel_knows(Mode::kWeightedInterleave)) {
        ASSERT_FALSE(policy);
        EXPECT_TRUE(policy.error().not_here);
        EXPECT_EQ(
            policy.error().problem,
            "this kernel has no table of weights (/sys/kernel/mm/mempolicy/weighted_interleave), "
            "it came with Linux 6.9");
        return;
    }
    ASSERT_TRUE(policy);
    EXPECT_EQ(policy->weights[1], number_in(table + "1"));
    std::ofstream(table + "1") << "7" << std::flush;
    const auto changed = parse("weighted interleave:0-3;weights=system");
    std::ofstream(table + "1") << static_cast<unsigned>(policy->weights[1]) << std::flush;
    ASSERT_TRUE(changed);
    for (unsigned node = 0; node < 4; ++node) {
        EXPECT_EQ(changed->weights[node], node == 1 ? 7 : number_in(table + std::to_string(node)));
    }
}

TEST_F(MachineWeights, AreEvenWhereTheKernelHasNoSuchMode) {
    if (kernel_knows(Mode::kWeightedInterleave)) GTEST_SKIP() << "this kernel has the mode";
    Placed bench;
    control::Target target = bench.attach();
    const Policy policy = make_policy(Mode::kWeightedInterleave, {0, 1, 3});
    bench.set_all(target, policy);
    const uint64_t at = bench.allocate(0, kLarge);
    bench.touch(0, at, kLarge);
    expect_interleaved(bench.order(at, kLarge), at, policy.nodes);
    EXPECT_EQ(task_policy(bench.pid()), "interleave:0-1,3");
    EXPECT_EQ(target.process().asked.policy, policy);
}

}  // namespace mpol::test

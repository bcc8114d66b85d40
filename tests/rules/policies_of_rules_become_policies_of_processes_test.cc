// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "daemon/rules/policy_template.h"
#include "machine.h"
#include "policy/text.h"
#include "rules.h"

namespace mpol::rules::test {
namespace {

tl::expected<Resolved, BadPolicy> resolved(const char* text, const Topology& machine,
                                           const TargetNodes& target) {
    const auto policy = compile_policy(text);
    if (!policy) return tl::unexpected(BadPolicy{text, policy.error()});
    return resolve(*policy, machine, target);
}

std::string text_of(const char* text, const Topology& machine) {
    const auto found = resolved(text, machine, on(machine, 0));
    return found ? policy_text(found->policy) : found.error().error.problem;
}

TEST(RulePolicy, IsNumbersOnThisMachine) {
    const Topology machine = two_sockets_with_expanders();
    EXPECT_EQ(text_of("interleave:cpu-nodes", machine), "interleave:0-1");
    EXPECT_EQ(text_of("bind=static:near,memory-only;home=0", machine), "bind=static:0,2-3;home=0");
    EXPECT_EQ(text_of(" membind : dist<=20 ", machine), "bind:0,2");
    EXPECT_EQ(text_of("weighted interleave:all!3", machine), "weighted interleave:0-2");
    EXPECT_EQ(text_of("prefer:near", machine), "prefer:0");
}

TEST(RulePolicy, WithoutNamesIsThePolicyItAlwaysWas) {
    const Topology machine = two_sockets_with_expanders();
    EXPECT_EQ(text_of("local", machine), "local");
    EXPECT_EQ(text_of("--interleave=all", machine), "interleave:0-3");
    EXPECT_EQ(text_of("bind:!0", machine), "bind:1-3");
    EXPECT_EQ(text_of("bind=relative:0-1", machine), "bind=relative:0-1");
    EXPECT_EQ(text_of("interleave", machine), "interleave:0-3");
}

TEST(RulePolicy, SaysWhatDoesNotFitThisMachine) {
    const Topology machine = two_sockets_with_expanders();
    EXPECT_EQ(text_of("prefer:memory-only", machine), "prefer takes one node, these are 2");
    EXPECT_EQ(text_of("bind:7", machine), "node 7 does not exist");
    EXPECT_EQ(text_of("bind:near!0", machine), "'near!0' leaves no node over: 0 less 0");
}

TEST(RulePolicy, TellsWhatTheCpusetDrops) {
    const Topology machine = two_sockets_with_expanders();
    TargetNodes target = on(machine, 0);
    target.allowed = nodes({0, 2});
    const auto found = resolved("interleave:cpu-nodes,2", machine, target);
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(found->policy.nodes, nodes({0, 1, 2}));
    EXPECT_EQ(found->effective, nodes({0, 2}));
    EXPECT_EQ(found->dropped, nodes({1}));
    const auto none = resolved("bind:3", machine, target);
    ASSERT_FALSE(none.has_value());
    EXPECT_EQ(none.error().error.problem, "its cpuset allows none of these nodes");
    EXPECT_EQ(none.error().error.accepted, "a part of 0,2");
}

TEST(RulePolicy, NeedsAKernelThatHasTheMode) {
    Topology machine = two_sockets_with_expanders();
    machine.kernel.mode_count = 6;
    EXPECT_EQ(text_of("weighted interleave:near", machine),
              "this kernel has no weighted interleave, it came with Linux 6.9");
}

TEST(RulePolicy, HasAWeightForEachOfItsNodes) {
    const Topology machine = two_sockets_with_expanders();
    EXPECT_EQ(text_of("weighted interleave:cpu-nodes;weights=5,3", machine),
              "weighted interleave:0-1;weights=5,3");
    const auto few = resolved("weighted interleave:all;weights=5,3", machine, on(machine, 0));
    EXPECT_FALSE(few.has_value());
}

TEST(RulePolicy, TakesWeightsFromTheMachine) {
    Topology machine = two_sockets_with_expanders();
    machine.system_weights.known = true;
    machine.system_weights.weights.of[0] = 7;
    machine.system_weights.weights.of[2] = 2;
    EXPECT_EQ(text_of("weighted interleave:dist<=20;weights=system", machine),
              "weighted interleave:0,2;weights=7,2");
    EXPECT_EQ(text_of("weighted interleave:all;weights=auto", machine),
              "this machine has no such weights");
}

TEST(RulePolicy, CarriesItsWeightsThrough) {
    const auto given = compile_policy("weighted interleave:cpu-nodes;weights=5,3");
    ASSERT_TRUE(given.has_value());
    EXPECT_EQ(given->text, "weighted interleave:cpu-nodes;weights=5,3");
    const CompiledRules rules = compiled(
        "[[rule]]\nname = \"r\"\nmatch = {}\npolicy = \"weighted interleave:all\"\nweights = [5, "
        "3]\n"
        "[[rule]]\nname = \"s\"\nmatch = {}\npolicy = \"weighted interleave:all\"\nweights = "
        "\"auto\"\n");
    ASSERT_EQ(rules.rules.size(), 2U);
    EXPECT_EQ(rules.rules[0].action->compiled.text, "weighted interleave:all;weights=5,3");
    EXPECT_EQ(rules.rules[1].action->compiled.text, "weighted interleave:all;weights=auto");
}

}  // namespace
}  // namespace mpol::rules::test

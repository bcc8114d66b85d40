// SPDX-License-Identifier: Apache-2.0
// mpol::Policy: text both ways, its parts, and what makes two equal.
#include <gtest/gtest.h>

#include <cstdint>
#include <mpol/policy.hpp>
#include <string>

namespace mpol::test {
namespace {

constexpr std::uint32_t kStaticNodes = 1U << 15;  // MPOL_F_STATIC_NODES

TEST(PolicyText, ComesBackAsItWent) {
    for (const std::string text :
         {"default", "local", "prefer:0", "bind:0", "bind=static:0", "bind=static|balancing:0",
          "interleave=relative:0", "prefer (many):0;home=0", "bind:0;home=0",
          "weighted interleave:0", "weighted interleave:0;weights=5"}) {
        const auto policy = Policy::parse(text.c_str());
        ASSERT_TRUE(policy) << text << ": " << policy.error().message();
        const auto back = policy->format();
        ASSERT_TRUE(back) << text << ": " << back.error().message();
        EXPECT_EQ(*back, text);
        const auto again = Policy::parse(back->c_str());
        ASSERT_TRUE(again) << text;
        EXPECT_EQ(*again, *policy) << text;
    }
}

TEST(PolicyText, OfOtherToolsBecomesTheKernels) {
    const auto policy = Policy::parse("--membind=0");
    ASSERT_TRUE(policy) << policy.error().message();
    EXPECT_EQ(*policy->format(), "bind:0");
}

TEST(PolicyText, ThatIsWrongSaysWhy) {
    std::string why = "untouched";
    ASSERT_TRUE(Policy::parse("bind:0", &why));
    EXPECT_EQ(why, "untouched");

    const auto policy = Policy::parse("frob:0", &why);
    EXPECT_FALSE(policy);
    EXPECT_EQ(policy.error(), std::errc::invalid_argument);
    EXPECT_EQ(policy.error().category(), std::generic_category());
    EXPECT_EQ(why,
              "'frob' is no mode; accepted: default, prefer, bind, interleave, local, "
              "prefer (many), weighted interleave");
    EXPECT_EQ(Policy::parse("bind:", nullptr).error(), std::errc::invalid_argument);
}

TEST(PolicyText, IsNoneOfWhatIsNoPolicy) {
    const auto text = Policy(static_cast<Mode>(99)).format();
    EXPECT_FALSE(text);
    EXPECT_EQ(text.error(), std::errc::invalid_argument);
}

TEST(PolicyValue, IsMadeOfParts) {
    EXPECT_EQ(Policy(), *Policy::parse("default"));
    Policy policy(Mode::kBind, NodeMask(1), kStaticNodes);
    EXPECT_EQ(policy, *Policy::parse("bind=static:0"));
    EXPECT_EQ(policy.mode(), Mode::kBind);
    EXPECT_EQ(policy.flags(), kStaticNodes);
    EXPECT_FALSE(policy.home_node());
    EXPECT_FALSE(policy.has_own_weights());
    policy.set_home_node(0);
    EXPECT_EQ(policy, *Policy::parse("bind=static:0;home=0"));
    EXPECT_EQ(policy.home_node(), 0U);
    policy.set_home_node(std::nullopt);
    EXPECT_FALSE(policy.home_node());
    EXPECT_TRUE(Policy::parse("weighted interleave:0;weights=5")->has_own_weights());
}

TEST(PolicyValue, HasTheNodesOfItsMask) {
    NodeMask nodes;
    for (const std::size_t node : {0U, 63U, 64U, 130U, 1023U}) nodes.set(node);
    const Policy policy(Mode::kInterleave, nodes);
    EXPECT_EQ(policy.nodes(), nodes);
    EXPECT_EQ(policy.c_policy().nodes[0], uint64_t{1} << 63 | 1);
    EXPECT_EQ(policy.c_policy().nodes[15], uint64_t{1} << 63);
}

TEST(PolicyValue, DiffersByEachPart) {
    Policy with_home(Mode::kBind, NodeMask(1));
    with_home.set_home_node(1);
    const Policy policy(Mode::kBind, NodeMask(1));
    EXPECT_EQ(policy, Policy(policy.c_policy()));
    for (const Policy& other :
         {Policy(Mode::kPreferred, NodeMask(1)), Policy(Mode::kBind, NodeMask(2)),
          Policy(Mode::kBind, NodeMask(1), kStaticNodes), with_home}) {
        EXPECT_NE(policy, other);
    }
}

TEST(PolicyValue, DiffersByWeightsOfItsNodesOnly) {
    const auto weighted = [](std::uint32_t source, std::uint8_t first, std::uint8_t second) {
        mpol_policy policy = Policy(Mode::kWeightedInterleave, NodeMask(1)).c_policy();
        policy.weight_source = source;
        policy.weights[0] = first;
        policy.weights[1] = second;
        return Policy(policy);
    };
    EXPECT_EQ(weighted(MPOL_WEIGHTS_GIVEN, 5, 0), weighted(MPOL_WEIGHTS_GIVEN, 5, 9));
    EXPECT_NE(weighted(MPOL_WEIGHTS_GIVEN, 5, 0), weighted(MPOL_WEIGHTS_GIVEN, 6, 0));
    EXPECT_EQ(weighted(MPOL_WEIGHTS_NONE, 5, 0), weighted(MPOL_WEIGHTS_NONE, 6, 9));
}

}  // namespace
}  // namespace mpol::test

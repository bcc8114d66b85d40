// SPDX-License-Identifier: Apache-2.0
#include "rules.h"

namespace mpol::rules::test {
namespace {

constexpr const char* kItems =
    "    accepted: numbers, a-b, a-b:used/group, all, cpu-nodes, memory-only, near, dist<=N, "
    "tier:N, "
    "same-as:PID, and after '!' what to leave out\n";

// The lines below the place, for a policy.
std::string complaint(const std::string& policy) {
    return complaints("[[rule]]\nname = \"r\"\nmatch = {}\npolicy = " + policy + "\n");
}

TEST(WrongPolicy, PointsAtTheMode) {
    EXPECT_EQ(complaint("'bnid:near'"),
              "rules.toml:4:11: 'bnid' is no mode\n"
              "    policy = 'bnid:near'\n"
              "              ^^^^\n"
              "    accepted: default, prefer, bind, interleave, local, prefer (many), weighted "
              "interleave\n");
}

TEST(WrongPolicy, PointsAtTheNodes) {
    EXPECT_EQ(complaint("\"bind:0, hot\""),
              std::string("rules.toml:4:19: 'hot' is no set of nodes\n"
                          "    policy = \"bind:0, hot\"\n"
                          "                      ^^^\n") +
                  kItems);
    EXPECT_EQ(complaint("\"bind:cpu-nodes!\""),
              std::string("rules.toml:4:26: the node list is empty\n"
                          "    policy = \"bind:cpu-nodes!\"\n"
                          "                             ^\n") +
                  kItems);
    EXPECT_EQ(complaint("\"bind:near!0!1\""),
              "rules.toml:4:22: a second '!' in one set\n"
              "    policy = \"bind:near!0!1\"\n"
              "                         ^\n"
              "    accepted: LIST!LIST\n");
    EXPECT_EQ(complaint("\"bind:9999\""),
              "rules.toml:4:16: node 9999 is beyond every kernel's limit\n"
              "    policy = \"bind:9999\"\n"
              "                   ^^^^\n"
              "    accepted: below 1024\n");
}

TEST(WrongPolicy, PointsAtNumbersOfNames) {
    const std::string place = "rules.toml:4:";
    EXPECT_EQ(complaint("\"bind:dist<=x\""),
              place +
                  "22: dist<= wants a number\n"
                  "    policy = \"bind:dist<=x\"\n"
                  "                         ^\n"
                  "    accepted: a distance as in numactl --hardware\n");
    EXPECT_EQ(complaint("\"bind:tier:0\""), place +
                                                "21: tier: wants a number\n"
                                                "    policy = \"bind:tier:0\"\n"
                                                "                        ^\n"
                                                "    accepted: 1 (the fastest), 2, ...\n");
    EXPECT_EQ(complaint("\"bind:same-as:\""), place +
                                                  "16: same-as: wants a number\n"
                                                  "    policy = \"bind:same-as:\"\n"
                                                  "                   ^^^^^^^^\n"
                                                  "    accepted: a process id\n");
}

TEST(WrongPolicy, PointsBehindASymbolicSet) {
    EXPECT_EQ(complaint("\"interleave:cpu-nodes;home=1\""),
              "rules.toml:4:32: interleave has no home node\n"
              "    policy = \"interleave:cpu-nodes;home=1\"\n"
              "                                   ^^^^^^\n"
              "    accepted: home= with bind or prefer (many)\n");
    EXPECT_EQ(complaint("\"default:cpu-nodes\""),
              "rules.toml:4:19: default takes no nodes\n"
              "    policy = \"default:cpu-nodes\"\n"
              "                      ^^^^^^^^^\n"
              "    accepted: default alone\n");
    EXPECT_EQ(complaint("\"bind=relative:near\""),
              "rules.toml:4:25: =relative wants ordinals, and this is a set of nodes\n"
              "    policy = \"bind=relative:near\"\n"
              "                            ^^^^\n"
              "    accepted: numbers, a-b, a-b:used/group\n");
}

TEST(WrongPolicy, IsPointedAtAsAWholeWhereEscapesHideTheColumns) {
    EXPECT_EQ(complaint("\"bn\\u0069d:0\""),
              "rules.toml:4:10: 'bnid' is no mode\n"
              "    policy = \"bn\\u0069d:0\"\n"
              "             ^^^^^^^^^^^^^\n"
              "    accepted: default, prefer, bind, interleave, local, prefer (many), weighted "
              "interleave\n");
}

TEST(WrongPolicy, WeightsAreNumbersOfAByteOrTheirSource) {
    for (const char* weights :
         {"[0]", "[256]", "[]", "\"\"", "\"often\"", "\"1,,2\"", "\"1,\"", "3"}) {
        const std::string text = complaints(rule("{}", std::string("weights = ") + weights));
        EXPECT_NE(text.find("these are no weights\n"), std::string::npos) << weights << text;
    }
}

TEST(WrongPolicy, HasWeightsOnce) {
    const std::string text = complaints(
        "[[rule]]\nname = \"r\"\nmatch = {}\nweights = [1]\npolicy = \"weighted "
        "interleave:0;weights=1\"");
    EXPECT_NE(text.find("rules.toml:4:11: the policy has weights already\n"), std::string::npos)
        << text;
}

}  // namespace
}  // namespace mpol::rules::test

// SPDX-License-Identifier: Apache-2.0
#include "rules.h"

namespace mpol::rules::test {
namespace {

std::string named(const std::string& name, const std::string& more = {}) {
    return "[[rule]]\nname = \"" + name + "\"\nmatch = {}\npolicy = \"local\"\n" + more + "\n";
}

std::string order(const std::vector<Source>& sources) {
    Diagnostics diagnostics;
    std::string out;
    for (const Rule& rule : compile_sources(sources, diagnostics).rules) out += rule.name + " ";
    EXPECT_TRUE(diagnostics.empty());
    return out;
}

TEST(Order, IsPriorityThenFileThenPlace) {
    EXPECT_EQ(order({{"10-a.toml", named("a1") + named("a2") + named("a3", "priority = 5")},
                     {"20-b.toml", named("b1", "priority = -1") + named("b2", "priority = 5")},
                     {"30-c.toml", named("c1")}}),
              "a3 b2 a1 a2 c1 b1 ");
}

TEST(Order, TheFirstMatchWinsAndLaterOnesLose) {
    const CompiledRules rules =
        compiled("[[rule]]\nname = \"other\"\nmatch = { comm = \"x\" }\npolicy = \"local\"\n" +
                 named("first") + named("second"));
    const Decision decision = decide(rules, process("redis"), {});
    EXPECT_EQ(decision.winner, 1U);
    ASSERT_EQ(decision.verdicts.size(), 3U);
    EXPECT_EQ(decision.verdicts[0].outcome, Outcome::kNoMatch);
    EXPECT_EQ(decision.verdicts[1].outcome, Outcome::kWon);
    EXPECT_EQ(decision.verdicts[2].outcome, Outcome::kLost);
}

TEST(Order, ARuleThatIgnoresWinsLikeAnyOther) {
    const CompiledRules rules = compiled(
        named("all") +
        "[[rule]]\nname = \"gpu\"\npriority = 1\nmatch = { comm = \"r*\" }\nignore = true\n");
    const Decision decision = decide(rules, process("redis"), {});
    ASSERT_TRUE(decision.winner.has_value());
    EXPECT_TRUE(rules.rules[*decision.winner].ignore);
}

TEST(Order, ARuleOutsideItsScheduleLetsTheNextOneWin) {
    const CompiledRules rules =
        compiled(named("night", "schedule = { from = \"22:00\", to = \"06:00\" }") + named("day"));
    EXPECT_EQ(decide(rules, process("x"), {1, 23 * 60}).winner, 0U);
    const Decision noon = decide(rules, process("x"), {1, 12 * 60});
    EXPECT_EQ(noon.winner, 1U);
    EXPECT_EQ(noon.verdicts[0].outcome, Outcome::kOffSchedule);
}

TEST(Order, NamesMayRepeatInAnotherFile) {
    EXPECT_EQ(order({{"a.toml", named("x")}, {"b.toml", named("x")}}), "x x ");
}

TEST(Order, OneBadFileMeansNoRules) {
    Diagnostics diagnostics;
    const CompiledRules rules =
        compile_sources({{"a.toml", named("x")}, {"b.toml", "y = 1"}}, diagnostics);
    EXPECT_TRUE(rules.rules.empty());
    ASSERT_EQ(diagnostics.list.size(), 1U);
    EXPECT_EQ(diagnostics.list[0].file, "b.toml");
}

}  // namespace
}  // namespace mpol::rules::test

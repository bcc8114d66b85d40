// SPDX-License-Identifier: Apache-2.0
#include "rules.h"

namespace mpol::rules::test {
namespace {

// "test: found" of each reason.
std::string reasons(const std::string& match, const Facts& facts) {
    const CompiledRules rules = compiled(rule(match));
    std::string out;
    const Decision decision = decide(rules, facts, {});
    for (const Reason& reason : decision.verdicts.at(0).reasons) {
        out += reason.test + ": " + reason.found + "\n";
    }
    return out;
}

Facts redis() {
    Facts facts = process("redis");
    facts.user = NamedId{0, "root"};
    return facts;
}

TEST(Explanation, OfAFailedAllIsThePartThatFailed) {
    EXPECT_EQ(reasons("{ comm = 'redis', user = ['redis', 107] }", redis()),
              "user = \"redis\" or 107: user is root (0)\n");
}

TEST(Explanation, OfASuccessfulAllIsEveryPart) {
    EXPECT_EQ(reasons("{ comm = ['r*', { regex = 'x' }], user = 0 }", redis()),
              "comm = \"r*\" or regex \"x\": comm is 'redis'\nuser = 0: user is root (0)\n");
}

TEST(Explanation, OfAnAnyIsThePartThatHeldOrAllThatDidNot) {
    EXPECT_EQ(reasons("{ any = [{ comm = 'x' }, { user = 0 }] }", redis()),
              "user = 0: user is root (0)\n");
    EXPECT_EQ(reasons("{ any = [{ comm = 'x' }, { user = 1 }] }", redis()),
              "comm = \"x\": comm is 'redis'\nuser = 1: user is root (0)\n");
}

TEST(Explanation, OfANotIsWhatItNegates) {
    EXPECT_EQ(reasons("{ not = { user = 'root' } }", redis()),
              "not user = \"root\": user is root (0)\n");
}

TEST(Explanation, PointsAtTheTestInTheFile) {
    const CompiledRules rules = compiled(rule("{ comm = 'redis',   user = 'x' }"));
    const Location expected{3, 29, 4};
    EXPECT_EQ(decide(rules, redis(), {}).verdicts.at(0).reasons.at(0).at.line, expected.line);
    EXPECT_EQ(decide(rules, redis(), {}).verdicts.at(0).reasons.at(0).at.column, expected.column);
}

TEST(Explanation, IsBounded) {
    std::string match = "{ any = [";
    for (int i = 0; i < 100; ++i) match += "{ comm = 'x' },";
    const CompiledRules rules = compiled(rule(match + "] }"));
    EXPECT_EQ(decide(rules, redis(), {}).verdicts.at(0).reasons.size(), kReasonsMax);
    EXPECT_EQ(found("{ comm = 'x' }", process(std::string(1000, 'a'))),
              "comm is '" + std::string(80, 'a') + "'...");
}

}  // namespace
}  // namespace mpol::rules::test

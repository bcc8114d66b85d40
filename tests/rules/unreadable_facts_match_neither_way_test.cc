// SPDX-License-Identifier: Apache-2.0
// A rule that says "not root" must not take a process of whom nothing is known.
#include "rules.h"

namespace mpol::rules::test {
namespace {

Outcome outcome(const std::string& match) {
    const CompiledRules rules = compiled(rule(match));
    return decide(rules, process("redis"), {}).verdicts.at(0).outcome;
}

TEST(Unreadable, MatchesNeitherWay) {
    for (const char* field :
         {"exe = 'x'", "argv = 'x'", "user = 'x'", "group = 'x'", "cgroup = 'x'", "unit = 'x'",
          "thread = 'x'", "env = { A = true }", "resident = '> 1'", "age = '> 1s'"}) {
        const std::string match = std::string("{ ") + field + " }";
        EXPECT_EQ(outcome(match), Outcome::kUnknown) << match;
        EXPECT_EQ(outcome("{ not = " + match + " }"), Outcome::kUnknown) << match;
    }
}

TEST(Unreadable, DoesNotMatterWhereSomethingElseDecides) {
    EXPECT_EQ(outcome("{ any = [{ user = 'x' }, { comm = 'redis' }] }"), Outcome::kWon);
    EXPECT_EQ(outcome("{ all = [{ user = 'x' }, { comm = 'x' }] }"), Outcome::kNoMatch);
    EXPECT_EQ(outcome("{ all = [{ user = 'x' }, { comm = 'redis' }] }"), Outcome::kUnknown);
    EXPECT_EQ(outcome("{ any = [{ user = 'x' }, { comm = 'x' }] }"), Outcome::kUnknown);
}

TEST(Unreadable, IsTheReason) {
    EXPECT_EQ(found("{ comm = 'redis', user = 'x' }", process("redis")), "its user can't be read");
}

}  // namespace
}  // namespace mpol::rules::test

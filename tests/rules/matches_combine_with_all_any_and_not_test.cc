// SPDX-License-Identifier: Apache-2.0
#include "rules.h"

namespace mpol::rules::test {
namespace {

Facts redis() {
    Facts facts = process("redis");
    facts.user = NamedId{107, "redis"};
    facts.exe = "/usr/bin/redis-server";
    return facts;
}

TEST(Combination, SeveralKeysAreAllOfThem) {
    EXPECT_TRUE(wins("{ comm = 'redis', user = 'redis' }", redis()));
    EXPECT_FALSE(wins("{ comm = 'redis', user = 'root' }", redis()));
}

TEST(Combination, AnEmptyMatchIsEveryProcess) {
    EXPECT_TRUE(wins("{}", redis()));
    EXPECT_FALSE(wins("{ not = {} }", redis()));
}

TEST(Combination, AllAnyNot) {
    EXPECT_TRUE(wins("{ all = [{ comm = 'redis' }, { not = { user = 'root' } }] }", redis()));
    EXPECT_FALSE(wins("{ all = [{ comm = 'redis' }, { user = 'root' }] }", redis()));
    EXPECT_TRUE(wins("{ any = [{ comm = 'x' }, { exe = '/usr/bin/*' }] }", redis()));
    EXPECT_FALSE(wins("{ any = [{ comm = 'x' }, { exe = '/bin/*' }] }", redis()));
    EXPECT_FALSE(wins("{ not = { any = [{ comm = 'x' }, { comm = 'redis' }] } }", redis()));
    EXPECT_TRUE(wins("{ not = { all = [{ comm = 'x' }, { comm = 'redis' }] } }", redis()));
    EXPECT_TRUE(wins("{ not = { not = { comm = 'redis' } } }", redis()));
}

TEST(Combination, NotOfSeveralKeysIsNotAllOfThem) {
    EXPECT_TRUE(wins("{ not = { comm = 'redis', user = 'root' } }", redis()));
    EXPECT_FALSE(wins("{ not = { comm = 'redis', user = 'redis' } }", redis()));
}

TEST(Combination, NestsInTablesToo) {
    const CompiledRules rules = compiled(
        "[[rule]]\nname = \"r\"\npolicy = \"local\"\n[rule.match]\ncomm = \"redis\"\n"
        "[rule.match.not]\nuser = \"root\"\n");
    ASSERT_EQ(rules.rules.size(), 1U);
    EXPECT_TRUE(decide(rules, redis(), {}).winner.has_value());
}

}  // namespace
}  // namespace mpol::rules::test

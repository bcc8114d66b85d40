// SPDX-License-Identifier: Apache-2.0
#include "rules.h"

namespace mpol::rules::test {
namespace {

Facts redis() {
    Facts facts = process("x");
    facts.user = NamedId{107, "redis"};
    facts.groups = {{107, "redis"}, {5, "tty"}, {4711, ""}};
    return facts;
}

TEST(User, IsANameOrANumber) {
    EXPECT_TRUE(wins("{ user = 'redis' }", redis()));
    EXPECT_TRUE(wins("{ user = 107 }", redis()));
    EXPECT_TRUE(wins("{ user = '107' }", redis()));
    EXPECT_TRUE(wins("{ user = ['root', 107] }", redis()));
    EXPECT_FALSE(wins("{ user = 'red*' }", redis()));
    EXPECT_FALSE(wins("{ user = 0 }", redis()));
    EXPECT_EQ(found("{ user = 0 }", redis()), "user is redis (107)");
}

TEST(Group, IsAnyOfTheProcess) {
    EXPECT_TRUE(wins("{ group = 'redis' }", redis()));
    EXPECT_TRUE(wins("{ group = 'tty' }", redis()));
    EXPECT_TRUE(wins("{ group = 4711 }", redis()));
    EXPECT_FALSE(wins("{ group = 'wheel' }", redis()));
    EXPECT_EQ(found("{ group = 5 }", redis()), "a group is tty (5)");
    EXPECT_EQ(found("{ group = 6 }", redis()), "none of 3 groups");
}

TEST(User, WithoutANameMatchesNoEmptyName) {
    Facts facts = process("x");
    facts.user = NamedId{4711, ""};
    EXPECT_FALSE(wins("{ user = 'root' }", facts));
    EXPECT_EQ(found("{ user = 'root' }", facts), "user is 4711");
}

}  // namespace
}  // namespace mpol::rules::test

// SPDX-License-Identifier: Apache-2.0
// Patterns and names that take a backtracking matcher longer than anyone waits.
#include <string>

#include "rules.h"

namespace mpol::rules::test {
namespace {

TEST(HostilePattern, DoesNotBackTrack) {
    const std::string name(50000, 'a');
    EXPECT_FALSE(wins("{ comm = { regex = '^(a+)+$b' } }", process(name)));
    EXPECT_FALSE(wins("{ comm = { regex = '(x+x+)+y' } }", process(std::string(50000, 'x'))));
    EXPECT_FALSE(wins("{ comm = '*a*a*a*a*a*a*a*a*a*a*a*b' }", process(name)));
}

TEST(HostilePattern, ThatWouldBeLargeIsRefused) {
    for (const char* regex : {"((a{1000}){1000}){1000}", "(((((a{30}){30}){30}){30}){30})"}) {
        const std::string text =
            complaints(rule(std::string("{ comm = { regex = '") + regex + "' } }"));
        EXPECT_NE(text.find("this is no regular expression: "), std::string::npos) << text;
    }
}

TEST(HostilePattern, MayNestDeep) {
    const std::string deep = std::string(2000, '(') + "a" + std::string(2000, ')');
    EXPECT_TRUE(wins("{ comm = { regex = '" + deep + "' } }", process("a")));
}

}  // namespace
}  // namespace mpol::rules::test

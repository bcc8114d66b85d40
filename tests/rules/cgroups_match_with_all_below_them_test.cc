// SPDX-License-Identifier: Apache-2.0
#include "rules.h"

namespace mpol::rules::test {
namespace {

bool matches(const std::string& pattern, const std::string& path) {
    Facts facts = process("x");
    facts.cgroup = path;
    return wins("{ cgroup = '" + pattern + "' }", facts);
}

TEST(Cgroup, MatchesWithAllBelowIt) {
    EXPECT_TRUE(matches("/a/b", "/a/b"));
    EXPECT_TRUE(matches("/a/b", "/a/b/c/d"));
    EXPECT_FALSE(matches("/a/b", "/a/bc"));
    EXPECT_FALSE(matches("/a/b", "/a"));
    EXPECT_TRUE(matches("/", "/a"));
    EXPECT_TRUE(matches("/", "/"));
}

TEST(Cgroup, MatchesByGlob) {
    EXPECT_TRUE(matches("/kubepods/*/pod1", "/kubepods/burstable/pod1/container"));
    EXPECT_FALSE(matches("/kubepods/*/pod1", "/kubepods/a/b/pod1"));
    EXPECT_TRUE(matches("/**/pod1", "/kubepods/a/b/pod1/c"));
}

TEST(Cgroup, IsNamedInTheReason) {
    Facts facts = process("x");
    facts.cgroup = "/a";
    EXPECT_EQ(found("{ cgroup = '/b' }", facts), "cgroup is '/a'");
}

}  // namespace
}  // namespace mpol::rules::test

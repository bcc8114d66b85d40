// SPDX-License-Identifier: Apache-2.0
#include "rules.h"

namespace mpol::rules::test {
namespace {

bool comm_matches(const std::string& pattern, const std::string& comm) {
    return wins("{ comm = '" + pattern + "' }", process(comm));
}

bool exe_matches(const std::string& pattern, const std::string& path) {
    Facts facts = process("x");
    facts.exe = path;
    return wins("{ exe = '" + pattern + "' }", facts);
}

TEST(Glob, CoversTheWholeName) {
    EXPECT_TRUE(comm_matches("redis-server", "redis-server"));
    EXPECT_FALSE(comm_matches("redis", "redis-server"));
    EXPECT_FALSE(comm_matches("Redis-server", "redis-server"));
    EXPECT_TRUE(comm_matches("redis-*", "redis-server"));
    EXPECT_TRUE(comm_matches("*", ""));
    EXPECT_TRUE(comm_matches("r?dis", "redis"));
    EXPECT_FALSE(comm_matches("r?dis", "rdis"));
    EXPECT_FALSE(comm_matches("", "redis"));
}

TEST(Glob, HasSets) {
    EXPECT_TRUE(comm_matches("w[0-9a]", "w7"));
    EXPECT_FALSE(comm_matches("w[!0-9]", "w7"));
    EXPECT_TRUE(comm_matches("w[]x]", "w]"));
    EXPECT_TRUE(comm_matches("w[a-]", "w-"));
}

TEST(Glob, TakesEverythingElseLiterally) {
    EXPECT_TRUE(comm_matches("a.b+(c)|$", "a.b+(c)|$"));
    EXPECT_FALSE(comm_matches("a.b", "axb"));
    EXPECT_TRUE(comm_matches("a\\*", "a*"));
    EXPECT_FALSE(comm_matches("a\\*", "ab"));
}

TEST(Glob, IsOfBytes) {
    EXPECT_TRUE(comm_matches("*\xc3\xa4*", "x\xc3\xa4y"));
    EXPECT_TRUE(comm_matches("x*y", "x\xff\n\xfey"));
}

TEST(Glob, OfAPathStopsAtSlashes) {
    EXPECT_TRUE(exe_matches("/usr/bin/*", "/usr/bin/redis-server"));
    EXPECT_FALSE(exe_matches("/usr/*", "/usr/bin/redis-server"));
    EXPECT_TRUE(exe_matches("/usr/**", "/usr/bin/redis-server"));
    EXPECT_FALSE(exe_matches("/usr?bin/x", "/usr/bin/x"));
    EXPECT_FALSE(exe_matches("/usr[!a]bin/x", "/usr/bin/x"));
}

TEST(Glob, AnyOfSeveral) {
    EXPECT_TRUE(wins("{ comm = ['a', { regex = 'red' }] }", process("redis")));
    EXPECT_TRUE(wins("{ comm = ['a', { glob = 'r*' }] }", process("redis")));
    EXPECT_FALSE(wins("{ comm = ['a', 'b'] }", process("redis")));
}

TEST(Regex, IsFoundAnywhere) {
    EXPECT_TRUE(wins("{ comm = { regex = 'ed' } }", process("redis")));
    EXPECT_FALSE(wins("{ comm = { regex = '^ed' } }", process("redis")));
    EXPECT_TRUE(wins("{ comm = { regex = '(?i)^REDIS$' } }", process("redis")));
}

TEST(Argv, MatchesAnyArgument) {
    Facts facts = process("java");
    facts.argv = {"java", "-Xmx8g", "kafka.Kafka"};
    EXPECT_TRUE(wins("{ argv = 'kafka.*' }", facts));
    EXPECT_FALSE(wins("{ argv = '-Xmx' }", facts));
    EXPECT_EQ(found("{ argv = 'kafka.*' }", facts), "argument 'kafka.Kafka'");
    EXPECT_EQ(found("{ argv = 'x' }", facts), "none of 3 arguments");
}

TEST(Thread, MatchesAnyThreadsName) {
    Facts facts = process("redis");
    facts.threads = {{{1, "redis"}, {2, "bio_aof"}}};
    EXPECT_TRUE(wins("{ thread = 'bio_*' }", facts));
    EXPECT_FALSE(wins("{ thread = 'io_*' }", facts));
}

}  // namespace
}  // namespace mpol::rules::test

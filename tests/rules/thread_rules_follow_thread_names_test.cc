// SPDX-License-Identifier: Apache-2.0
#include "rules.h"

namespace mpol::rules::test {
namespace {

const std::string kRules = R"(
[[rule]]
name = "redis"
match = { comm = "redis*" }
[[rule.thread]]
name = "bio_aof"
policy = "bind:0"
[[rule.thread]]
name = ["bio_*", { regex = "^io_thd_[0-9]+$" }]
policy = "bind:memory-only"
migrate = true
)";

Facts redis() {
    Facts facts = process("redis-server");
    facts.threads = {
        {{1, "redis-server"}, {2, "bio_close"}, {3, "bio_aof"}, {4, "io_thd_1"}, {5, "io_thd_x"}}};
    return facts;
}

TEST(ThreadRule, TheFirstThatMatchesTheNameHolds) {
    const Decision decision = decide(compiled(kRules), redis(), {});
    ASSERT_EQ(decision.threads.size(), 3U);
    EXPECT_EQ(decision.threads[0].thread.tid, 2);
    EXPECT_EQ(decision.threads[0].thread_rule, 1U);
    EXPECT_EQ(decision.threads[1].thread.tid, 3);
    EXPECT_EQ(decision.threads[1].thread_rule, 0U);
    EXPECT_EQ(decision.threads[2].thread.tid, 4);
}

TEST(ThreadRule, NeedsNoPolicyOfTheProcess) {
    const CompiledRules rules = compiled(kRules);
    EXPECT_FALSE(rules.rules[0].action.has_value());
    EXPECT_TRUE(rules.rules[0].threads[1].action.migrate);
}

TEST(ThreadRule, MakesThreadNamesNeeded) {
    EXPECT_NE(compiled(kRules).needs & 1U << static_cast<unsigned>(Field::kThread), 0U);
    EXPECT_EQ(compiled(rule("{ comm = 'x' }")).needs, 1U << static_cast<unsigned>(Field::kComm));
}

TEST(ThreadRule, HoldsOnlyUnderTheRuleThatWon) {
    const CompiledRules rules =
        compiled("[[rule]]\nname = \"first\"\nmatch = {}\nignore = true\n" + kRules);
    EXPECT_TRUE(decide(rules, redis(), {}).threads.empty());
}

}  // namespace
}  // namespace mpol::rules::test

// SPDX-License-Identifier: Apache-2.0
#include "rules.h"

namespace mpol::rules::test {
namespace {

Facts with_env() {
    Facts facts = process("x");
    facts.env = {"CUDA_VISIBLE_DEVICES=0,1", "EMPTY=", "A=b=c"};
    return facts;
}

TEST(Env, IsSetOrNot) {
    EXPECT_TRUE(wins("{ env = { CUDA_VISIBLE_DEVICES = true } }", with_env()));
    EXPECT_TRUE(wins("{ env = { EMPTY = true } }", with_env()));
    EXPECT_FALSE(wins("{ env = { EMPTY = false } }", with_env()));
    EXPECT_TRUE(wins("{ env = { CUDA = false } }", with_env()));
    EXPECT_FALSE(wins("{ env = { CUDA = true } }", with_env()));
}

TEST(Env, HasAValueThatMatches) {
    EXPECT_TRUE(wins("{ env = { A = 'b=*' } }", with_env()));
    EXPECT_FALSE(wins("{ env = { A = 'b' } }", with_env()));
    EXPECT_TRUE(wins("{ env = { EMPTY = '' } }", with_env()));
    EXPECT_FALSE(wins("{ env = { NONE = '*' } }", with_env()));
    EXPECT_EQ(found("{ env = { A = 'b' } }", with_env()), "A is 'b=c'");
    EXPECT_EQ(found("{ env = { NONE = '*' } }", with_env()), "NONE is not set");
}

TEST(Env, EveryVariableThatIsNamedCounts) {
    EXPECT_TRUE(wins("{ env = { A = '*', EMPTY = true } }", with_env()));
    EXPECT_FALSE(wins("{ env = { A = '*', EMPTY = 'x' } }", with_env()));
}

TEST(Env, ThatIsCutOffSaysNothingOfWhatIsMissing) {
    Facts facts = with_env();
    facts.env_whole = false;
    EXPECT_TRUE(wins("{ env = { A = '*' } }", facts));
    EXPECT_FALSE(wins("{ env = { NONE = false } }", facts));
    EXPECT_EQ(found("{ env = { NONE = false } }", facts), "NONE lies beyond what is read");
}

}  // namespace
}  // namespace mpol::rules::test

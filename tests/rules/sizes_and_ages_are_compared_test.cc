// SPDX-License-Identifier: Apache-2.0
#include "rules.h"

namespace mpol::rules::test {
namespace {

Facts of(uint64_t resident_bytes, uint64_t age_s) {
    Facts facts = process("x");
    facts.resident_bytes = resident_bytes;
    facts.age_s = age_s;
    return facts;
}

TEST(Resident, IsCompared) {
    const Facts facts = of(512ULL << 20, 0);
    for (const char* yes :
         {">= 512M", ">=512MiB", "<= 512M", "> 511M", "< 1G", "< 1T", "> 5", ">0K"}) {
        EXPECT_TRUE(wins(std::string("{ resident = '") + yes + "' }", facts)) << yes;
    }
    for (const char* no : {"> 512M", "< 512M", ">= 1G", "<= 511M"}) {
        EXPECT_FALSE(wins(std::string("{ resident = '") + no + "' }", facts)) << no;
    }
    EXPECT_EQ(found("{ resident = '> 1G' }", facts), "resident is 524288 KiB");
}

TEST(Age, IsCompared) {
    const Facts facts = of(0, 3600);
    for (const char* yes : {">= 1h", "< 1d", "> 59min", "<= 3600s"}) {
        EXPECT_TRUE(wins(std::string("{ age = '") + yes + "' }", facts)) << yes;
    }
    EXPECT_FALSE(wins("{ age = '> 60min' }", facts));
    EXPECT_EQ(found("{ age = '> 60min' }", facts), "age is 3600 s");
}

TEST(Resident, HasTwoEndsThroughAll) {
    const Facts facts = of(2ULL << 30, 0);
    EXPECT_TRUE(wins("{ all = [{ resident = '>= 1G' }, { resident = '< 4G' }] }", facts));
    EXPECT_FALSE(wins("{ all = [{ resident = '>= 1G' }, { resident = '< 2G' }] }", facts));
}

}  // namespace
}  // namespace mpol::rules::test

// SPDX-License-Identifier: Apache-2.0
// The exact message that a user sees.
#include "rules.h"

namespace mpol::rules::test {
namespace {

const std::string kGood = "match = {}\npolicy = \"local\"\n";

TEST(RuleError, OfTomlItself) {
    EXPECT_EQ(complaints("a = [1,\nb"),
              "rules.toml:2:1: Error while parsing value: could not determine value type\n"
              "    b\n"
              "    ^\n"
              "    accepted: TOML 1.0 (https://toml.io)\n");
}

TEST(RuleError, OfWhatTheLibraryTripsOver) {
    for (const char* header : {"[,rule]", "[[[rule]]]", "[[=", "[?"}) {
        EXPECT_EQ(complaints(rule("{}") + header + std::string("\nname = 1\n")),
                  "rules.toml:6:1: what stands in this line, or before it, is no TOML\n"
                  "    " +
                      std::string(header) +
                      "\n"
                      "    ^\n"
                      "    accepted: TOML 1.0 (https://toml.io)\n");
    }
}

TEST(RuleError, OfLettersWhereBlanksMayStand) {
    const std::string text = complaints("\xcc\xaa");
    EXPECT_NE(text.find("rules.toml:1:1: "), std::string::npos) << text;
    EXPECT_EQ(complaints(rule("{ argv = \"\"\"\\\n\xc2\xa7\"\"\" }")), "");
}

TEST(RuleError, OfAnUnknownKeyNamesTheOneThatWasMeant) {
    EXPECT_EQ(complaints("[[rule]]\nname = \"a\"\npolcy = \"local\"\n" + kGood),
              "rules.toml:3:1: 'polcy' is no key of a rule, did you mean 'policy'?\n"
              "    polcy = \"local\"\n"
              "    ^^^^^\n"
              "    accepted: name, priority, match, policy, weights, migrate, ignore, thread, "
              "schedule\n");
    EXPECT_EQ(complaints("title = 1\n"),
              "rules.toml:1:1: 'title' is no key of a rule file\n"
              "    title = 1\n"
              "    ^^^^^\n"
              "    accepted: rule\n");
}

TEST(RuleError, OfOneBracketTooFew) {
    EXPECT_EQ(complaints("[rule]\nname = \"a\"\n"),
              "rules.toml:1:1: 'rule' is a table\n"
              "    [rule]\n"
              "    ^^^^^^\n"
              "    accepted: [[rule]], with two brackets\n");
}

TEST(RuleError, OfWhatIsMissing) {
    EXPECT_EQ(complaints("[[rule]]\n"),
              "rules.toml:1:1: this rule has no name\n"
              "    [[rule]]\n"
              "    ^^^^^^^^\n"
              "    accepted: name = \"...\"\n"
              "rules.toml:1:1: this rule has no match\n"
              "    [[rule]]\n"
              "    ^^^^^^^^\n"
              "    accepted: match = { ... }; {} is every process\n"
              "rules.toml:1:1: this rule does nothing\n"
              "    [[rule]]\n"
              "    ^^^^^^^^\n"
              "    accepted: policy = \"...\", a [[rule.thread]], or ignore = true\n");
}

TEST(RuleError, OfTwoThingsThatExcludeEachOther) {
    EXPECT_EQ(complaints("[[rule]]\nname = \"a\"\nignore = true\n" + kGood),
              "rules.toml:1:1: this rule has a policy and ignores what it matches\n"
              "    [[rule]]\n"
              "    ^^^^^^^^\n"
              "    accepted: policy = \"...\", a [[rule.thread]], or ignore = true\n");
}

TEST(RuleError, OfAWrongTypeOrRange) {
    EXPECT_EQ(complaints("[[rule]]\nname = \"a\"\npriority = 1001\nmigrate = \"yes\"\n" + kGood),
              "rules.toml:3:12: this is no priority\n"
              "    priority = 1001\n"
              "               ^^^^\n"
              "    accepted: an integer from -1000 to 1000; more wins\n"
              "rules.toml:4:11: 'migrate' is a string\n"
              "    migrate = \"yes\"\n"
              "              ^^^^^\n"
              "    accepted: true or false\n");
    EXPECT_EQ(complaints("[[rule]]\nname = \"\"\n" + kGood),
              "rules.toml:2:8: this is no name for a rule\n"
              "    name = \"\"\n"
              "           ^^\n"
              "    accepted: 1 to 64 bytes\n");
}

TEST(RuleError, OfASecondRuleWithTheSameName) {
    const std::string rule = "[[rule]]\nname = \"a\"\n" + kGood;
    EXPECT_EQ(complaints(rule + rule),
              "rules.toml:5:1: a second rule 'a'; the first is in line 1\n"
              "    [[rule]]\n"
              "    ^^^^^^^^\n"
              "    accepted: names that differ within a file\n");
}

TEST(RuleError, OfASchedule) {
    const std::string schedule = "[[rule]]\nname = \"a\"\n" + kGood + "schedule = ";
    EXPECT_EQ(complaints(schedule + "{ from = \"25:00\", to = \"06:00\" }\n"),
              "rules.toml:5:21: '25:00' is no time of day\n"
              "    schedule = { from = \"25:00\", to = \"06:00\" }\n"
              "                        ^^^^^^^\n"
              "    accepted: \"00:00\" to \"23:59\"\n");
    EXPECT_EQ(
        complaints(schedule + "{ days = [\"mon-fry\"] }\n"),
        "rules.toml:5:22: 'mon-fry' is no day\n"
        "    schedule = { days = [\"mon-fry\"] }\n"
        "                         ^^^^^^^^^\n"
        "    accepted: mon, tue, wed, thu, fri, sat, sun, or two of them as in \"mon-fri\"\n");
    EXPECT_EQ(complaints(schedule + "{ from = \"22:00\" }\n"),
              "rules.toml:5:12: a schedule has a beginning and an end, or days, or all three\n"
              "    schedule = { from = \"22:00\" }\n"
              "               ^^^^^^^^^^^^^^^^^^\n"
              "    accepted: { from = \"22:00\", to = \"06:00\", days = [\"mon-fri\"] }\n");
}

TEST(RuleError, OfAThreadRule) {
    const std::string head = "[[rule]]\nname = \"a\"\n" + kGood;
    EXPECT_EQ(complaints(head + "[[rule.thread]]\nmigrate = true\n"),
              "rules.toml:5:1: this thread rule has no name\n"
              "    [[rule.thread]]\n"
              "    ^^^^^^^^^^^^^^^\n"
              "    accepted: name = \"glob\"\n"
              "rules.toml:5:1: this thread rule has no policy\n"
              "    [[rule.thread]]\n"
              "    ^^^^^^^^^^^^^^^\n"
              "    accepted: policy = \"...\"\n"
              "rules.toml:6:1: 'migrate' without a policy\n"
              "    migrate = true\n"
              "    ^^^^^^^\n"
              "    accepted: policy = \"...\"\n");
}

TEST(RuleError, ShowsNoControlCharactersAndKeepsColumns) {
    EXPECT_EQ(complaints("\"\\u001b[2J\" = 1\n"),
              "rules.toml:1:1: '?[2J' is no key of a rule file\n"
              "    \"\\u001b[2J\" = 1\n"
              "    ^^^^^^^^^^^\n"
              "    accepted: rule\n");
    EXPECT_EQ(complaints("\"\xc3\xa4\" = { } # \xe2\x82\xac\r\n"),
              "rules.toml:1:1: '?\?' is no key of a rule file\n"
              "    \"?\" = { } # ?\n"
              "    ^^^\n"
              "    accepted: rule\n");
}

TEST(RuleError, ShowsOnlyTheSurroundingsInALongLine) {
    const std::string blanks(1000, ' ');
    const std::string text = complaints("a = \"" + blanks + "\" " + blanks + "b\n");
    EXPECT_NE(text.find("\n    " + std::string(80, ' ') + "b\n    " + std::string(80, ' ') + "^\n"),
              std::string::npos)
        << text;
}

}  // namespace
}  // namespace mpol::rules::test

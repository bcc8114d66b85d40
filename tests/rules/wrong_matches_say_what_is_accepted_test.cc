// SPDX-License-Identifier: Apache-2.0
#include "rules.h"

namespace mpol::rules::test {
namespace {

// The message for a match, with its place and the line left out.
std::string complaint(const std::string& match) {
    const std::string text =
        complaints("[[rule]]\nname = \"r\"\npolicy = \"local\"\nmatch = " + match);
    const size_t problem = text.find(": ") + 2;
    const size_t accepted = text.find("    accepted: ");
    if (text.empty()) return "";
    return text.substr(problem, text.find('\n', problem) - problem) + " | " +
           text.substr(accepted + 14, text.find('\n', accepted) - accepted - 14);
}

struct Row {
    const char* match;
    const char* complaint;
};

const Row kRows[] = {
    {"3", "'match' is an integer | a table"},
    {"{ com = \"x\" }",
     "'com' is no key of a match, did you mean 'comm'? | comm, exe, argv, user, group, cgroup, "
     "unit, "
     "thread, env, resident, age, all, any, not"},
    {"{ exe = 5 }", "'exe' is an integer | a glob, { regex = \"...\" }, or an array of them"},
    {"{ argv = [] }", "'argv' is an empty array | at least one item"},
    {"{ comm = { globb = \"x\" } }",
     "'globb' is no key of a pattern, did you mean 'glob'? | glob, regex"},
    {"{ comm = { glob = \"x\", regex = \"y\" } }",
     "a pattern is one glob or one regex | { regex = \"...\" }"},
    {"{ comm = { regex = 1 } }", "'regex' is an integer | a string"},
    {"{ comm = { regex = \"a(b\" } }",
     "this is no regular expression: missing ): a(b | RE2's syntax (no back-references, no "
     "look-around)"},
    {"{ exe = \"/usr/[ab\" }", "'[' has no ']' | [abc], [a-z], [!a-z], or \\["},
    {"{ exe = '/usr/a\\' }", "a backslash stands at the end | \\\\ for itself"},
    {"{ exe = \"[z-a]\" }", "this range runs backwards | a-b with a <= b"},
    {"{ user = -1 }", "this is no user | a name, or a number from 0 to 4294967294"},
    {"{ group = true }", "this is no group | a name, or a number from 0 to 4294967294"},
    {"{ env = {} }", "'env' names no variable | { NAME = \"glob\" }"},
    {"{ env = \"A\" }", "'env' is a string | a table"},
    {"{ resident = \"lots\" }",
     "'lots' is no comparison of 'resident' | <, <=, > or >= and a size: \">= 512M\", K, M, G or "
     "T"},
    {"{ resident = \">= 99999999999T\" }",
     "'>= 99999999999T' is no comparison of 'resident' | <, <=, > or >= and a size: \">= 512M\", "
     "K, "
     "M, G or T"},
    {"{ age = \"5min\" }",
     "'5min' is no comparison of 'age' | <, <=, > or >= and a time: \">= 10min\", s, min, h or d"},
    {"{ age = 1979-05-27 }", "'age' is a date or a time | a string"},
    {"{ all = [] }", "'all' is no list of matches | [{ comm = \"...\" }, { user = \"...\" }]"},
    {"{ any = {} }", "'any' is no list of matches | [{ comm = \"...\" }, { user = \"...\" }]"},
    {"{ any = [1] }", "'any' is an integer | a table"},
    {"{ not = [] }", "'not' is an array | a table"},
    {"{ not = { not = { nott = {} } } }",
     "'nott' is no key of a match, did you mean 'not'? | comm, exe, argv, user, group, cgroup, "
     "unit, "
     "thread, env, resident, age, all, any, not"},
};

TEST(WrongMatch, SaysWhatIsAccepted) {
    for (const Row& row : kRows) EXPECT_EQ(complaint(row.match), row.complaint) << row.match;
}

TEST(WrongMatch, IsPointedAtInsideItsString) {
    EXPECT_EQ(complaints("[[rule]]\nname = \"r\"\npolicy = \"local\"\nmatch.exe = \"/usr/[ab\"\n"),
              "rules.toml:4:19: '[' has no ']'\n"
              "    match.exe = \"/usr/[ab\"\n"
              "                      ^\n"
              "    accepted: [abc], [a-z], [!a-z], or \\[\n");
}

TEST(WrongMatch, DoesNotHideAnother) {
    const std::string text = complaints(rule("{ comm = 1, exe = 2, not = { user = -1 } }"));
    EXPECT_NE(text.find("'comm' is an integer"), std::string::npos);
    EXPECT_NE(text.find("'exe' is an integer"), std::string::npos);
    EXPECT_NE(text.find("this is no user"), std::string::npos);
}

}  // namespace
}  // namespace mpol::rules::test

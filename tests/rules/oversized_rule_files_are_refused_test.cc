// SPDX-License-Identifier: Apache-2.0
// A file that is too much of anything is refused with a word, whatever the TOML library would do.
#include "rules.h"

namespace mpol::rules::test {
namespace {

std::string repeated(const std::string& text, size_t times) {
    std::string out;
    for (size_t i = 0; i < times; ++i) out += text;
    return out;
}

TEST(Bounds, OfNesting) {
    EXPECT_NE(complaints("a = " + repeated("[", 100000)).find(":1:37: this is nested too deep\n"),
              std::string::npos);
    EXPECT_NE(complaints("a" + repeated(".a", 100000) + " = 1").find("this is nested too deep\n"),
              std::string::npos);
    EXPECT_NE(complaints("[\"a\"" + repeated(" . \"a\"", 10) + "]").find("nested too deep\n"),
              std::string::npos);
}

TEST(Bounds, DoNotCountWhatStandsInStringsAndComments) {
    const std::string noise = repeated("[", 40) + repeated(".", 40);
    EXPECT_EQ(complaints("# " + noise + "\n" +
                         rule("{ argv = [\"\\\\[\\\\[\\\"" + repeated(".", 40) + "\", '''\n" +
                              repeated(".", 40) + "''''] }")),
              "");
}

TEST(Bounds, OfTheFile) {
    EXPECT_EQ(complaints(repeated("#", kFileBytesMax + 1)),
              "rules.toml: the file is too long\n    accepted: at most 262144 bytes\n");
}

TEST(Bounds, OfRulesAndPatterns) {
    EXPECT_NE(complaints(repeated("[[rule]]\n", kRulesMax + 1)).find("the file has too many rules"),
              std::string::npos);
    EXPECT_NE(complaints(rule("{ comm = [" + repeated("\"a\",", kPatternsMax + 1) + "] }"))
                  .find("too many patterns"),
              std::string::npos);
    EXPECT_NE(complaints(rule("{ comm = \"" + std::string(kPatternBytesMax + 1, 'a') + "\" }"))
                  .find("the pattern is too long"),
              std::string::npos);
}

TEST(Bounds, OfComplaints) {
    Diagnostics diagnostics;
    std::string text;
    for (size_t i = 0; i < kDiagnosticsMax + 7; ++i) text += "key" + std::to_string(i) + " = 1\n";
    (void)compile_sources({{"rules.toml", text}}, diagnostics);
    EXPECT_EQ(diagnostics.list.size(), kDiagnosticsMax);
    EXPECT_EQ(diagnostics.left_out, 7U);
}

}  // namespace
}  // namespace mpol::rules::test

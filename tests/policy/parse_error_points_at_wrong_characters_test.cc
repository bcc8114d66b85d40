// SPDX-License-Identifier: Apache-2.0
// The exact message that a user sees.
#include <gtest/gtest.h>

#include "machine.h"
#include "policy/word.h"

namespace mpol::test {
namespace {

struct Row {
    const char* text;
    const char* carets;
    const char* sentence;
};

std::string expected(const Row& row) {
    return std::string(row.text) + "\n" + row.carets + "\n" + row.sentence;
}

constexpr const char* kModesList =
    "; accepted: default, prefer, bind, interleave, local, prefer (many), weighted interleave";
constexpr const char* kItems =
    "; accepted: numbers, a-b, a-b:used/group, all, separated by commas or blanks";

void expect_lenient(const Row& row, const ParseContext& context = four_nodes()) {
    SCOPED_TRACE(row.text);
    const ParseResult result = parse_lenient(row.text, context);
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(render_error(result.error(), row.text), expected(row));
}

void expect_lenient(const char* text, const char* carets, const std::string& sentence) {
    expect_lenient(Row{text, carets, sentence.c_str()});
}

TEST(ParseError, PointsAtWrongModes) {
    expect_lenient("", "^", std::string("the mode is missing") + kModesList);
    expect_lenient(":0", "^", std::string("the mode is missing") + kModesList);
    expect_lenient("wi:0", "^^", std::string("'wi' is no mode") + kModesList);
    expect_lenient("  weighted  interleave:0", "  ^^^^^^^^^^^^^^^^^^^^",
                   std::string("'weighted  interleave' is no mode") + kModesList);
    expect_lenient("4:0", "^", std::string("'4' is no mode") + kModesList);
}

TEST(ParseError, NamesTheKernelThatHasTheMode) {
    ParseContext context = four_nodes();
    context.kernel = {.mode_count = 6, .prefer_many_balancing = false};
    expect_lenient({"weighted-interleave:0", "^^^^^^^^^^^^^^^^^^^",
                    "this kernel has no weighted interleave, it came with Linux 6.9; accepted: "
                    "default, prefer, bind, interleave, local, prefer (many)"},
                   context);
    expect_lenient({"-w 0", "^^",
                    "this kernel has no weighted interleave, it came with Linux 6.9; accepted: "
                    "default, prefer, bind, interleave, local, prefer (many)"},
                   context);
    expect_lenient({"prefer (many)=balancing:0", "              ^^^^^^^^^",
                    "balancing does not go with prefer (many); accepted: bind (on this kernel)"},
                   context);
}

TEST(ParseError, PointsAtWrongFlags) {
    const std::string flags = "; accepted: static, relative, balancing, joined by '|' or ','";
    expect_lenient("bind=bogus:0", "     ^^^^^", "'bogus' is no flag" + flags);
    expect_lenient("bind=static|:0", "            ^", "a flag is missing" + flags);
    expect_lenient("bind=:0", "     ^", "a flag is missing" + flags);
    expect_lenient("bind=static=relative:0", "     ^^^^^^^^^^^^^^^",
                   "'static=relative' is no flag" + flags);
    expect_lenient("bind=static|static:0", "            ^^^^^^",
                   "'static' is given twice; accepted: each flag once");
    expect_lenient("bind=static|relative:0", "            ^^^^^^^^",
                   "static and relative exclude each other; accepted: one of them");
    expect_lenient("interleave=balancing:0", "           ^^^^^^^^^",
                   "balancing does not go with interleave; accepted: bind or prefer (many)");
    expect_lenient("default=static", "        ^^^^^^", "default takes no flags; accepted: no '='");
    expect_lenient("local=static", "      ^^^^^^", "local takes no flags; accepted: no '='");
    expect_lenient("prefer=static", "^^^^^^",
                   "prefer with a flag needs a node; accepted: prefer=flag:node");
    expect_lenient("bind:0=static", "      ^^^^^^^",
                   "flags stand before the nodes; accepted: mode=flags:nodes");
}

TEST(ParseError, PointsAtNodesThatDoNotExist) {
    expect_lenient("bind:0,9", "       ^",
                   "node 9 does not exist or has no memory; accepted: nodes 0-3");
    expect_lenient("bind:0, 2-6", "        ^^^",
                   "node 4 does not exist or has no memory; accepted: nodes 0-3");
    expect_lenient("bind:0-99999999999", "       ^^^^^^^^^^^",
                   "node 99999999999 does not exist or has no memory; accepted: nodes 0-3");
    expect_lenient("bind:!7", "      ^",
                   "node 7 does not exist or has no memory; accepted: nodes 0-3");
    expect_lenient("bind:+1,4", "        ^",
                   "there is no usable node with ordinal 4; accepted: ordinals 0-3");
    expect_lenient("bind=relative:1024", "              ^^^^",
                   "ordinal 1024 is too large; accepted: below 1024");
}

TEST(ParseError, TellsAbsentNodesFromMemorylessOnes) {
    ParseContext context = four_nodes();
    context.online = span(0, 4);
    expect_lenient({"bind:4", "     ^", "node 4 has no memory; accepted: nodes 0-3"}, context);
    expect_lenient({"bind:5", "     ^", "node 5 does not exist; accepted: nodes 0-3"}, context);
    expect_lenient({"bind:12345", "     ^^^^^", "node 12345 does not exist; accepted: nodes 0-3"},
                   context);
    context.allow_absent_nodes = true;
    expect_lenient({"bind:1024", "     ^^^^",
                    "node 1024 is beyond every kernel's limit; accepted: below 1024"},
                   context);
}

TEST(ParseError, PointsAtWrongLists) {
    expect_lenient("bind:", "     ^", std::string("the node list is empty") + kItems);
    expect_lenient("bind", "^^^^", "bind needs nodes; accepted: bind:nodes");
    expect_lenient("prefer (many)", "^^^^^^^^^^^^^",
                   "prefer (many) needs nodes; accepted: prefer (many):nodes");
    expect_lenient("default:0", "        ^", "default takes no nodes; accepted: default alone");
    expect_lenient("local:0", "      ^", "local takes no nodes; accepted: local alone");
    expect_lenient("bind:0x1", "      ^^", std::string("'x1' is not part of a node list") + kItems);
    expect_lenient("bind:N", "     ^", std::string("'N' is not a node number") + kItems);
    expect_lenient("bind:0-", "       ^", std::string("a node number is missing") + kItems);
    expect_lenient("bind:0-N:1/2", "       ^^^^^",
                   std::string("'N:1/2' is not a node number") + kItems);
    expect_lenient("bind:0-3:1", "          ^", "'/group' is missing; accepted: a-b:used/group");
    expect_lenient("bind:0-3:/2", "         ^^",
                   std::string("'/2' is not a count of nodes") + kItems);
    expect_lenient("bind:0-3:1/", "           ^", std::string("a group size is missing") + kItems);
    expect_lenient("bind:0-3:2/1", "     ^^^^^^^",
                   "'0-3:2/1' uses 2 nodes of each group of 1; accepted: a-b:used/group with 1 <= "
                   "used <= group");
    expect_lenient("bind:0-3:0/2", "     ^^^^^^^",
                   "'0-3:0/2' uses 0 nodes of each group of 2; accepted: a-b:used/group with 1 <= "
                   "used <= group");
    expect_lenient("bind:3-1", "     ^^^",
                   "the range '3-1' runs backwards; accepted: a-b with a <= b");
}

TEST(ParseError, PointsAtWhatContradictsTheMode) {
    expect_lenient("prefer:0-1", "       ^^^",
                   "prefer takes one node, these are 2; accepted: one node, or prefer (many) for "
                   "several");
    expect_lenient("bind=relative:!0", "              ^",
                   "with =relative the numbers are ordinals already; accepted: numbers, a-b, "
                   "a-b:used/group");
    expect_lenient("bind=relative:all", "              ^^^",
                   "'all' is no ordinal; accepted: numbers, a-b, a-b:used/group");
    expect_lenient("bind:!0-3", "     ^^^^",
                   "'!0-3' leaves no node over; accepted: a part of nodes 0-3");
}

TEST(ParseError, PointsAtWrongHomeNodes) {
    expect_lenient("bind:0;home=9", "            ^", "node 9 does not exist; accepted: nodes 0-3");
    expect_lenient("bind:0;home=", "            ^",
                   "the home node is no number; accepted: home=node");
    expect_lenient("bind:0;home=1;home=2", "            ^^^^^^^^",
                   "the home node is no number; accepted: home=node");
    expect_lenient("bind:0;", "       ^",
                   "'' is no setting; accepted: home=node, or weights= with weighted "
                   "interleave");
    expect_lenient("bind:0;house=1", "       ^^^^^^^",
                   "'house=1' is no setting; accepted: home=node, or weights= with weighted "
                   "interleave");
    expect_lenient("interleave:0;home=1", "             ^^^^^^",
                   "interleave has no home node; accepted: home= with bind or prefer (many)");
}

TEST(ParseError, PointsAtWrongOptions) {
    const std::string options =
        "; accepted: --interleave, --weighted-interleave, --preferred, --preferred-many, "
        "--membind, --localalloc, --balancing";
    expect_lenient("--bind=0", "^^^^^^^^", "'--bind=0' is no memory policy option" + options);
    expect_lenient("-m=0", "^^^^", "'-m=0' is no memory policy option" + options);
    expect_lenient("-", "^", "'-' is no memory policy option" + options);
    expect_lenient("--membind=0 ls", "            ^^", "'ls' is no memory policy option" + options);
    expect_lenient("--balancing", "^^^^^^^^^^^", "no option says which policy" + options);
    expect_lenient("-b -b -m 0", "   ^^", "'-b' is given twice; accepted: it once");
    expect_lenient("-m 0 -i 1", "     ^^",
                   "a second policy contradicts '-m'; accepted: one policy");
    expect_lenient("-m", "  ^", std::string("the node list is empty") + kItems);
    expect_lenient("--localalloc=0", "             ^",
                   "local takes no nodes; accepted: local alone");
    expect_lenient("-b -i 0", "^^", "'-b' does not go with interleave; accepted: --membind");
}

TEST(ParseError, OfTheStrictParserPointsToo) {
    const char* text = "bind:0=bogus";
    const ParseResult result = parse_strict(text, span(0, 3));
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(render_error(result.error(), text),
              "bind:0=bogus\n"
              "       ^^^^^\n"
              "'bogus' is no flag; accepted: static or relative");
}

TEST(ParseError, ShowsNoControlCharacters) {
    const std::string text = "b\x1b[2Jnd\xc3\xa4\x7f:0";
    const ParseResult result = parse_lenient(text, four_nodes());
    ASSERT_FALSE(result.has_value());
    const std::string sentence = std::string("'b?[2Jnd?\?\?' is no mode") + kModesList;
    EXPECT_EQ(render_error(result.error(), text), "b?[2Jnd?\?\?:0\n^^^^^^^^^^\n" + sentence);
}

TEST(ParseError, ShowsOnlyTheSurroundingsInALongText) {
    const std::string text = "bind:" + std::string(1000, ' ') + "x" + std::string(1000, ' ') + "0";
    const ParseResult result = parse_lenient(text, four_nodes());
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(render_error(result.error(), text),
              std::string(80, ' ') + "x" + std::string(79, ' ') + "\n" + std::string(80, ' ') +
                  "^\n" + "'x' is not a node number" + kItems);
}

TEST(ParseError, ShowsTheBeginningOfALongWord) {
    const std::string text = std::string(1000, 'x') + ":0";
    const ParseResult result = parse_lenient(text, four_nodes());
    ASSERT_FALSE(result.has_value());
    const std::string quoted = "'" + std::string(kQuotedBytesMax, 'x') + "...'";
    EXPECT_EQ(render_error(result.error(), text), std::string(160, 'x') + "\n" +
                                                      std::string(160, '^') + "\n" + quoted +
                                                      " is no mode" + kModesList);
}

TEST(ParseError, IsSafeToRenderWithAnotherText) {
    EXPECT_EQ(render_error({5000, 70, "wrong", "right"}, "a"), "a\n ^\nwrong; accepted: right");
}

}  // namespace
}  // namespace mpol::test

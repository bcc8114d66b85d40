// SPDX-License-Identifier: Apache-2.0
// The kernel's own table of strings is tested with the parser; here is what differs from it through
// the file, and that nothing else does.
#include <gtest/gtest.h>

#include <string>

#include "fs/policy_text.h"
#include "policy/parse.h"
#include "policy/text.h"

namespace mpol::fs {
namespace {

const NodeMask kFourNodes = NodeMask::first_nodes(4);

std::string written(std::string_view text, unsigned mode_count = kModeCount) {
    const auto policy = parse_written(text, kFourNodes, mode_count);
    return policy ? policy_text(*policy) : "EINVAL";
}

TEST(Written, EndsAtTheFirstLineBreak) {
    EXPECT_EQ(written("interleave:0-3\n"), "interleave:0-3");
    EXPECT_EQ(written("interleave:0-3"), "interleave:0-3");
    EXPECT_EQ(written("interleave\n"), "interleave:0-3");
    EXPECT_EQ(written("default\r\n"), "default");
    EXPECT_EQ(written("local\nbind:0"), "local");
    EXPECT_EQ(written("bind:0\rjunk"), "bind:0");
    EXPECT_EQ(written(std::string_view("bind:1\0junk", 11)), "bind:1");
}

TEST(Written, NothingIsNoPolicy) {
    for (const char* text : {"", "\n", "\r\n", "\nbind:0", " ", " bind:0"}) {
        EXPECT_EQ(written(text), "EINVAL") << text;
    }
}

TEST(Written, PreferTakesAnySpellingOfOneNode) {
    for (const char* text : {"prefer:1", "prefer:01", "prefer:1\n", "prefer: 1", "prefer:1 ",
                             "prefer:1,", "prefer:1-1", "prefer:1,1"}) {
        EXPECT_EQ(written(text), "prefer:1") << text;
    }
    EXPECT_EQ(written("prefer=static: 1"), "prefer=static:1");
    EXPECT_EQ(written("prefer: 1=relative"), "prefer=relative:1");
}

TEST(Written, PreferStillTakesOneNode) {
    for (const char* text : {"prefer:", "prefer: ", "prefer:0-1", "prefer:0,1", "prefer:4",
                             "prefer:N", "prefer:all", "prefer:x", "prefer :1", "prefer=static"}) {
        EXPECT_EQ(written(text), "EINVAL") << text;
    }
    EXPECT_EQ(written("prefer"), "local");
    EXPECT_EQ(written("prefer (many):0-1"), "prefer (many):0-1");
}

TEST(Written, AllElseIsAsTheKernelsParserSays) {
    for (const char* text : {"default:",
                             "default=bogus",
                             "local:0",
                             "bind",
                             "bind:",
                             "bind:3,1,0",
                             "bind:0-7",
                             "bind:0-3:1/2",
                             "bind:0=static",
                             "bind=relative:9",
                             "bind=balancing:0",
                             "PREFER:0",
                             "preferred:0",
                             "interleave:",
                             "weighted interleave",
                             "weighted interleave=static:0,2",
                             "=static",
                             ":0",
                             "interleave:0-1:",
                             "bind:0;home=1"}) {
        const auto kernel = parse_strict(text, kFourNodes);
        EXPECT_EQ(written(text), kernel ? policy_text(*kernel) : "EINVAL") << text;
    }
}

TEST(Written, OlderKernelsLackAMode) {
    EXPECT_EQ(written("weighted interleave:0", 6), "EINVAL");
    EXPECT_EQ(written("weighted interleave:0", 7), "weighted interleave:0");
}

TEST(Written, HasABound) {
    std::string text = "bind:0" + std::string(kWriteBytesMax - 6, ',');
    EXPECT_EQ(written(text), "bind:0");
    text += ',';
    EXPECT_EQ(written(text), "EINVAL");
}

}  // namespace
}  // namespace mpol::fs

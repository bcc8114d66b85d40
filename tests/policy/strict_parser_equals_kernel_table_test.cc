// SPDX-License-Identifier: Apache-2.0
// Every row was given to the tmpfs mpol= option of Linux 6.12 on a machine with nodes 0-3, and the
// canonical text read back from /proc/self/mounts.
#include <gtest/gtest.h>

#include "machine.h"
#include "policy/text.h"

namespace mpol::test {
namespace {

struct Row {
    const char* text;
    const char* canonical;  // nullptr: rejected
};

constexpr const char* kRejected = nullptr;

constexpr Row kRows[] = {
    {"default", "default"},
    {"default:", kRejected},
    {"default:0", kRejected},
    {"default=static", "default"},
    {"default=bogus", "default"},
    {"local", "local"},
    {"local:", kRejected},
    {"local:0", kRejected},
    {"local=static", kRejected},
    {"local=relative", kRejected},
    {"prefer", "local"},
    {"prefer:", kRejected},
    {"prefer:0", "prefer:0"},
    {"prefer:00", "prefer:0"},
    {"prefer:3", "prefer:3"},
    {"prefer:4", kRejected},
    {"prefer:0-1", kRejected},
    {"prefer:0,1", kRejected},
    {"prefer:0 ", kRejected},
    {"prefer: 0", kRejected},
    {"prefer:0\n", kRejected},
    {"prefer:N", kRejected},
    {"prefer=static", kRejected},
    {"prefer=relative", kRejected},
    {"prefer=static:1", "prefer=static:1"},
    {"prefer=relative:1", "prefer=relative:1"},
    {"prefer=balancing:1", kRejected},
    {"preferred:0", kRejected},
    {"PREFER:0", kRejected},
    {" prefer:0", kRejected},
    {"prefer :0", kRejected},
    {"prefer (many)", kRejected},
    {"prefer (many):", kRejected},
    {"prefer (many):0-1", "prefer (many):0-1"},
    {"prefer (many)=static:0,2", "prefer (many)=static:0,2"},
    {"prefer (many)=relative:0,2", "prefer (many)=relative:0,2"},
    {"prefer(many):0", kRejected},
    {"prefer_many:0", kRejected},
    {"preferred-many:0", kRejected},
    {"bind", kRejected},
    {"bind:", kRejected},
    {"bind:0", "bind:0"},
    {"bind:0-3", "bind:0-3"},
    {"bind:0,2-3", "bind:0,2-3"},
    {"bind:3,1,0", "bind:0-1,3"},
    {"bind:0,0,0", "bind:0"},
    {"bind:1-0", kRejected},
    {"bind:0-7", kRejected},
    {"bind:9", kRejected},
    {"bind:0,9", kRejected},
    {"bind:all", kRejected},
    {"bind:ALL", kRejected},
    {"bind:N", kRejected},
    {"bind:0-N:1/2", kRejected},
    {"bind:0-3:1/2", "bind:0,2"},
    {"bind: 0 , 2 ", "bind:0,2"},
    {"bind:,0,", "bind:0"},
    {"bind:0,,2", "bind:0,2"},
    {"bind:0\n", "bind:0"},
    {"bind:0\n3", "bind:0"},
    {"bind:0x1", kRejected},
    {"bind:-1", kRejected},
    {"bind:+1", kRejected},
    {"bind:0-", kRejected},
    {"bind:!0", kRejected},
    {"bind=static:1", "bind=static:1"},
    {"bind=relative:1", "bind=relative:1"},
    {"bind=relative:9", kRejected},
    {"bind=:0", kRejected},
    {"bind=STATIC:0", kRejected},
    {"bind=static=relative:0", kRejected},
    {"bind=static,relative:0", kRejected},
    {"bind=static|balancing:0", kRejected},
    {"bind=balancing:0", kRejected},
    {"bind:0=static", "bind=static:0"},
    {"bind:0=bogus", kRejected},
    {"bind static:0", kRejected},
    {"bind:99999999999", kRejected},
    {"interleave", "interleave:0-3"},
    {"interleave:", kRejected},
    {"interleave:0-3", "interleave:0-3"},
    {"interleave:1", "interleave:1"},
    {"interleave=static", "interleave=static:0-3"},
    {"interleave=relative", "interleave=relative:0-3"},
    {"interleave=static:0,2", "interleave=static:0,2"},
    {"interleave=relative:0-1", "interleave=relative:0-1"},
    {"interleave\n", kRejected},
    {"weighted interleave", "weighted interleave:0-3"},
    {"weighted interleave:", kRejected},
    {"weighted interleave:0,2", "weighted interleave:0,2"},
    {"weighted interleave=static:0,2", "weighted interleave=static:0,2"},
    {"weighted interleave=relative:0-1", "weighted interleave=relative:0-1"},
    {"weighted_interleave:0", kRejected},
    {"weighted-interleave:0", kRejected},
    {"weighted  interleave", kRejected},
    {"weighted  interleave:0", kRejected},
    {"", kRejected},
    {"=static", kRejected},
    {":0", kRejected},
    {"noop:0", kRejected},
    {"4:0", kRejected},
    {"interleave:0-1:", kRejected},
    {"bind:0:1/2", kRejected},
};
static_assert(std::size(kRows) >= 100);

TEST(StrictParser, EqualsKernelTable) {
    for (const Row& row : kRows) {
        SCOPED_TRACE(row.text);
        const ParseResult result = parse_strict(row.text, span(0, 3));
        EXPECT_EQ(result.has_value(), row.canonical != kRejected);
        if (result && row.canonical != kRejected) {
            EXPECT_EQ(kernel_text(*result, result->nodes), row.canonical);
        }
    }
}

TEST(StrictParser, Without69RejectsWeightedInterleave) {
    constexpr unsigned kModesOf61 = 6;
    for (const Row& row : kRows) {
        SCOPED_TRACE(row.text);
        const bool weighted = std::string_view(row.text).substr(0, 8) == "weighted";
        const bool accepted = row.canonical != kRejected && !weighted;
        EXPECT_EQ(parse_strict(row.text, span(0, 3), kModesOf61).has_value(), accepted);
    }
}

TEST(StrictParser, StopsAtNulLikeACString) {
    const ParseResult result = parse_strict(std::string_view("bind:0\0,1=x", 11), span(0, 3));
    ASSERT_TRUE(result.has_value());
    EXPECT_EQ(*result, policy(Mode::kBind, 0, nodes({0})));
}

TEST(StrictParser, RejectsInterleaveWhenNoNodeHasMemory) {
    EXPECT_FALSE(parse_strict("interleave", NodeMask{}).has_value());
    EXPECT_FALSE(parse_strict("interleave=static", NodeMask{}).has_value());
    EXPECT_TRUE(parse_strict("prefer", NodeMask{}).has_value());
}

TEST(StrictParser, ErrorsStayInsideTheText) {
    for (const Row& row : kRows) {
        SCOPED_TRACE(row.text);
        const ParseResult result = parse_strict(row.text, span(0, 3));
        if (result) continue;
        EXPECT_LE(result.error().offset + result.error().length, std::string_view(row.text).size());
        EXPECT_FALSE(result.error().problem.empty());
        EXPECT_FALSE(result.error().accepted.empty());
    }
}

}  // namespace
}  // namespace mpol::test

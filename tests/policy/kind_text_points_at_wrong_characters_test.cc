// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "policy/kind_text.h"

namespace mpol {
namespace {

struct Wrong {
    const char* text;
    const char* shown;  // what render_error says
};

}  // namespace

TEST(KindText, IsReadUpToThePolicy) {
    const struct {
        const char* text;
        mpol_ctl_kind_id kind;
        uint64_t threshold;
        const char* policy;
    } rows[] = {
        {"large>=2M:bind:3", MPOL_CTL_KIND_LARGE, 2 << 20, "bind:3"},
        {"large >= 64k : bind:3", MPOL_CTL_KIND_LARGE, 64 << 10, " bind:3"},
        {"LARGE>=100000:prefer (many):0-1", MPOL_CTL_KIND_LARGE, 100'000, "prefer (many):0-1"},
        {"large>=128T:local", MPOL_CTL_KIND_LARGE, uint64_t{128} << 40, "local"},
        {"stack:local", MPOL_CTL_KIND_STACK, 0, "local"},
        {"mmap:--interleave=0-3", MPOL_CTL_KIND_MMAP, 0, "--interleave=0-3"},
    };
    for (const auto& row : rows) {
        const auto read = parse_kind_prefix(row.text);
        ASSERT_TRUE(read && *read) << row.text;
        EXPECT_EQ((*read)->kind, row.kind) << row.text;
        EXPECT_EQ((*read)->threshold, row.threshold) << row.text;
        EXPECT_EQ(std::string_view(row.text).substr((*read)->policy_offset), row.policy);
    }
}

TEST(KindText, LeavesPoliciesAlone) {
    for (const char* text : {"", "bind:0", "local", "bind=static:0", "larger>=2M:bind:0", ":bind:0",
                             "prefer (many):0", "--interleave=all", "mmaps:bind:0"}) {
        const auto read = parse_kind_prefix(text);
        EXPECT_TRUE(read && !*read) << text;
    }
}

TEST(KindText, NamesAndSizesAreReadAsTheyAreWritten) {
    for (const auto kind : {MPOL_CTL_KIND_LARGE, MPOL_CTL_KIND_STACK, MPOL_CTL_KIND_MMAP}) {
        EXPECT_EQ(parse_kind_name(kind_name(kind)), kind);
    }
    EXPECT_EQ(parse_kind_name("Stack"), MPOL_CTL_KIND_STACK);
    EXPECT_EQ(parse_kind_name("stacks"), std::nullopt);
    const struct {
        uint64_t bytes;
        const char* text;
    } sizes[] = {{100'000, "large>=100000"},
                 {96 << 10, "large>=96K"},
                 {2 << 20, "large>=2M"},
                 {uint64_t{3} << 30, "large>=3G"},
                 {uint64_t{128} << 40, "large>=128T"}};
    for (const auto& size : sizes) {
        EXPECT_EQ(kind_text(MPOL_CTL_KIND_LARGE, size.bytes), size.text);
        const auto read = parse_kind_prefix(std::string(size.text) + ":local");
        ASSERT_TRUE(read && *read) << size.text;
        EXPECT_EQ((*read)->threshold, size.bytes);
    }
    EXPECT_EQ(kind_text(MPOL_CTL_KIND_MMAP, 0), "mmap");
}

TEST(KindText, PointsAtWrongCharacters) {
    const Wrong rows[] = {
        {"large:bind:3",
         "large:bind:3\n     ^\nlarge needs a threshold; accepted: large>=size:policy"},
        {"large>2M:bind:3",
         "large>2M:bind:3\n     ^^^\nlarge needs a threshold; accepted: large>=size:policy"},
        {"large>=:bind:3",
         "large>=:bind:3\n       ^\nthe threshold is missing; accepted: a number and K, M, G or T, "
         "as in 2M"},
        {"large>=2Q:bind:3",
         "large>=2Q:bind:3\n       ^^\n'2Q' is no size; accepted: a number and K, M, G or T, as in "
         "2M"},
        {"large>=M:bind:3",
         "large>=M:bind:3\n       ^\n'M' is no size; accepted: a number and K, M, G or T, as in "
         "2M"},
        {"large>=63K:bind:3",
         "large>=63K:bind:3\n       ^^^\nthe threshold is too small; accepted: 64K or more"},
        {"large>=129T:bind:3",
         "large>=129T:bind:3\n       ^^^^\nthe threshold is too large; accepted: at most 128T"},
        {"large>=99999999999999999999:bind:3",
         "large>=99999999999999999999:bind:3\n       ^^^^^^^^^^^^^^^^^^^^\nthe threshold is too "
         "large; accepted: at most 128T"},
        {"large>=2M", "large>=2M\n         ^\nthe policy is missing; accepted: large>=2M:policy"},
        {"stack", "stack\n     ^\nthe policy is missing; accepted: stack:policy"},
        {"mmap>=2M:bind:3",
         "mmap>=2M:bind:3\n    ^^^^\nmmap has no threshold; accepted: mmap:policy"},
    };
    for (const Wrong& row : rows) {
        const auto read = parse_kind_prefix(row.text);
        ASSERT_FALSE(read) << row.text;
        EXPECT_EQ(render_error(read.error(), row.text), row.shown);
    }
}

TEST(KindText, SizesRoundTrip) {
    for (const uint64_t bytes : {uint64_t{64} << 10, uint64_t{100'000}, uint64_t{2} << 20,
                                 uint64_t{3} << 30, uint64_t{128} << 40, (uint64_t{1} << 21) + 1}) {
        const std::string text = kind_text(MPOL_CTL_KIND_LARGE, bytes);
        const auto read = parse_kind_prefix(text + ":local");
        ASSERT_TRUE(read && *read) << text;
        EXPECT_EQ((*read)->threshold, bytes) << text;
    }
    EXPECT_EQ(size_text(2 << 20), "2M");
    EXPECT_EQ(size_text(96 << 10), "96K");
    EXPECT_EQ(size_text(0), "0");
}

}  // namespace mpol

// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "machine.h"
#include "policy/modes.h"
#include "policy/text.h"

namespace mpol::test {
namespace {

struct Row {
    const char* text;
    const char* canonical;
};

// Nodes 0-3 have memory.
void expect_rows(std::initializer_list<Row> rows) {
    for (const Row& row : rows) {
        SCOPED_TRACE(row.text);
        const ParseResult result = parse_lenient(row.text, four_nodes());
        ASSERT_TRUE(result.has_value()) << render_error(result.error(), row.text);
        EXPECT_EQ(policy_text(*result), row.canonical);
    }
}

TEST(LenientParser, AcceptsWhatTheKernelPrints) {
    expect_rows({
        {"default", "default"},
        {"local", "local"},
        {"prefer:3", "prefer:3"},
        {"prefer=static:1", "prefer=static:1"},
        {"prefer (many):0-1", "prefer (many):0-1"},
        {"prefer (many)=balancing:0", "prefer (many)=balancing:0"},
        {"bind:0,2-3", "bind:0,2-3"},
        {"bind=relative:0-1", "bind=relative:0-1"},
        {"bind=static|balancing:0", "bind=static|balancing:0"},
        {"bind=relative|balancing:0", "bind=relative|balancing:0"},
        {"bind=balancing:0", "bind=balancing:0"},
        {"interleave:0-3", "interleave:0-3"},
        {"weighted interleave=static:0,2", "weighted interleave=static:0,2"},
    });
}

TEST(LenientParser, AcceptsTheKernelsDefaultsAndLists) {
    expect_rows({
        {"prefer", "local"},
        {"interleave", "interleave:0-3"},
        {"interleave=static", "interleave=static:0-3"},
        {"weighted interleave", "weighted interleave:0-3"},
        {"bind:0-3:1/2", "bind:0,2"},
        {"bind:3,1,0", "bind:0-1,3"},
        {"bind:,0,,2,", "bind:0,2"},
        {"prefer:00", "prefer:0"},
        {"bind=relative:9", "bind=relative:9"},
    });
}

TEST(LenientParser, AcceptsBlanksAroundEveryPart) {
    expect_rows({
        {"  bind:0\n", "bind:0"},
        {"bind:0\r\n", "bind:0"},
        {"bind:0\t2", "bind:0,2"},
        {"\tbind = static | balancing : 0 , 1 ; home=1 ", "bind=static|balancing:0-1;home=1"},
    });
}

TEST(LenientParser, AcceptsEverySpellingOfTheTableInAnyCase) {
    for (const ModeInfo& info : kModes) {
        for (const char* spelling : info.spellings) {
            if (spelling == nullptr) continue;
            std::string text = spelling;
            for (char& c : text) c = static_cast<char>(std::toupper(c));
            if (info.mode != Mode::kDefault && info.mode != Mode::kLocal) text += ":1";
            SCOPED_TRACE(text);
            const ParseResult result = parse_lenient(text, four_nodes());
            ASSERT_TRUE(result.has_value());
            EXPECT_EQ(result->mode, info.mode);
        }
    }
}

TEST(LenientParser, AcceptsNumactlSpellings) {
    expect_rows({
        {"membind:0", "bind:0"},
        {"localalloc", "local"},
        {"preferred-many:0-1", "prefer (many):0-1"},
        {"weighted-interleave:0-1", "weighted interleave:0-1"},
        {"interleave:all", "interleave:0-3"},
        {"bind:!0-1", "bind:2-3"},
        {"bind:+0-1", "bind:0-1"},
        {"--interleave=all", "interleave:0-3"},
        {"--interleave all", "interleave:0-3"},
        {"-i 0,2", "interleave:0,2"},
        {"--weighted-interleave=0-1", "weighted interleave:0-1"},
        {"-w 0-1", "weighted interleave:0-1"},
        {"--membind=!0", "bind:1-3"},
        {"-m 0", "bind:0"},
        {"--preferred=1", "prefer:1"},
        {"-p 1", "prefer:1"},
        {"--preferred-many=0-1", "prefer (many):0-1"},
        {"-P 0-1", "prefer (many):0-1"},
        {"--localalloc", "local"},
        {"-l", "local"},
        {"--balancing --membind=0", "bind=balancing:0"},
        {"--membind 0 -b", "bind=balancing:0"},
    });
}

TEST(LenientParser, AcceptsSystemdSpellings) {
    expect_rows({
        {"preferred", "local"},
        {"preferred:1", "prefer:1"},
        {"bind:0 2", "bind:0,2"},
        {"interleave:all", "interleave:0-3"},
    });
}

TEST(LenientParser, AcceptsOciSpellings) {
    expect_rows({
        {"MPOL_DEFAULT", "default"},
        {"MPOL_LOCAL", "local"},
        {"MPOL_PREFERRED:1", "prefer:1"},
        {"MPOL_PREFERRED_MANY=MPOL_F_STATIC_NODES:0-1", "prefer (many)=static:0-1"},
        {"MPOL_BIND=MPOL_F_RELATIVE_NODES|MPOL_F_NUMA_BALANCING:0", "bind=relative|balancing:0"},
        {"MPOL_INTERLEAVE:0-1", "interleave:0-1"},
        {"MPOL_WEIGHTED_INTERLEAVE:0-1", "weighted interleave:0-1"},
        {"mpol_bind=mpol_f_static_nodes:0", "bind=static:0"},
    });
}

TEST(LenientParser, AcceptsFlagsInAnyOrderAndCase) {
    expect_rows({
        {"bind=balancing|static:0", "bind=static|balancing:0"},
        {"bind=static,balancing:0", "bind=static|balancing:0"},
        {"bind=STATIC:0", "bind=static:0"},
    });
}

TEST(LenientParser, AcceptsHomeNodes) {
    expect_rows({
        {"bind:0-1;home=1", "bind:0-1;home=1"},
        {"bind:0-1;home=3", "bind:0-1;home=3"},
        {"prefer (many)=static:0-1;home=0", "prefer (many)=static:0-1;home=0"},
    });
}

}  // namespace
}  // namespace mpol::test

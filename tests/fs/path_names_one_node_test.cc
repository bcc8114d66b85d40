// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "fs/path.h"

namespace mpol::fs {
namespace {

TEST(Path, NamesEveryNode) {
    EXPECT_EQ(parse_path("/"), (Node{Kind::kRoot, 0, 0}));
    EXPECT_EQ(parse_path("/42"), (Node{Kind::kProcess, 42, 0}));
    EXPECT_EQ(parse_path("/42/mempolicy"), (Node{Kind::kProcessPolicy, 42, 0}));
    EXPECT_EQ(parse_path("/42/numa_maps"), (Node{Kind::kNumaMaps, 42, 0}));
    EXPECT_EQ(parse_path("/42/status"), (Node{Kind::kStatus, 42, 0}));
    EXPECT_EQ(parse_path("/42/task"), (Node{Kind::kTasks, 42, 0}));
    EXPECT_EQ(parse_path("/42/task/43"), (Node{Kind::kThread, 42, 43}));
    EXPECT_EQ(parse_path("/42/task/43/mempolicy"), (Node{Kind::kThreadPolicy, 42, 43}));
}

TEST(Path, ANumberHasOneSpelling) {
    for (const char* path : {"/0", "/042", "/-1", "/+1", "/ 1", "/1 ", "/4x", "/4294967297",
                             "/self", "/42/task/043", "/42/task/0/mempolicy"}) {
        EXPECT_EQ(parse_path(path), std::nullopt) << path;
    }
}

TEST(Path, OtherNamesAreNotThere) {
    for (const char* path : {"", "42", "//", "/42/", "/42/maps", "/42/mempolicy/x", "/42/task/43/x",
                             "/42/task/43/numa_maps", "/42/task/43/mempolicy/", "/42//mempolicy",
                             "/42/status/43", "/42/task/43/mempolicy/a/b/c"}) {
        EXPECT_EQ(parse_path(path), std::nullopt) << path;
    }
}

TEST(Path, ModesAreThoseOfProc) {
    EXPECT_EQ(mode_of(Kind::kRoot), S_IFDIR | 0555);
    EXPECT_EQ(mode_of(Kind::kThread), S_IFDIR | 0555);
    EXPECT_EQ(mode_of(Kind::kProcessPolicy), S_IFREG | 0600);
    EXPECT_EQ(mode_of(Kind::kThreadPolicy), S_IFREG | 0600);
    EXPECT_EQ(mode_of(Kind::kNumaMaps), S_IFREG | 0400);
    EXPECT_EQ(mode_of(Kind::kStatus), S_IFREG | 0400);
}

TEST(Path, EveryFixedNameIsANode) {
    for (const std::string& name : fixed_names(Kind::kProcess)) {
        EXPECT_TRUE(parse_path("/42/" + name)) << name;
    }
    for (const std::string& name : fixed_names(Kind::kThread)) {
        EXPECT_TRUE(parse_path("/42/task/43/" + name)) << name;
    }
}

}  // namespace
}  // namespace mpol::fs

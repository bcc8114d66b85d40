// SPDX-License-Identifier: Apache-2.0
// ptrace(2), PTRACE_MODE_READ_FSCREDS, as far as ids decide it.
#include <gtest/gtest.h>

#include "fs/access.h"

namespace mpol::fs {
namespace {

constexpr TaskCredentials kPlain{{1000, 1000, 1000}, {100, 100, 100}, 1000};

TEST(Access, ItsUserSeesIt) {
    EXPECT_TRUE(may_see({1000, 100}, kPlain));
}

TEST(Access, RootSeesAll) {
    EXPECT_TRUE(may_see({0, 0}, kPlain));
    EXPECT_TRUE(may_see({0, 77}, kPlain));
    TaskCredentials hidden = kPlain;
    hidden.owner = 0;
    EXPECT_TRUE(may_see({0, 0}, hidden));
}

TEST(Access, OthersDoNot) {
    EXPECT_FALSE(may_see({1001, 100}, kPlain));
    EXPECT_FALSE(may_see({1000, 101}, kPlain));
    EXPECT_FALSE(may_see({1000, 100}, {{0, 0, 0}, {0, 0, 0}, 0}));
}

// A set-user-ID program that has dropped, or may take back, another user's rights.
TEST(Access, EveryIdOfTheTargetCounts) {
    for (unsigned Ids::*which : {&Ids::real, &Ids::effective, &Ids::saved}) {
        TaskCredentials target = kPlain;
        target.uid.*which = 0;
        EXPECT_FALSE(may_see({1000, 100}, target));
        target = kPlain;
        target.gid.*which = 0;
        EXPECT_FALSE(may_see({1000, 100}, target));
    }
}

TEST(Access, NotDumpableMeansNotSeen) {
    TaskCredentials target = kPlain;
    target.owner = 0;
    EXPECT_FALSE(may_see({1000, 100}, target));
}

// To setresuid(2) it means "leave it as it is", so it must never come that far.
TEST(Access, AnIdWithoutANameSeesNothing) {
    EXPECT_FALSE(may_see({uid_t(-1), 100}, kPlain));
    EXPECT_FALSE(may_see({1000, gid_t(-1)}, kPlain));
    EXPECT_FALSE(may_see({0, gid_t(-1)}, kPlain));
    const unsigned none = uid_t(-1);
    EXPECT_FALSE(may_see({none, none}, {{none, none, none}, {none, none, none}, none}));
}

TEST(Access, CredentialsComeFromStatus) {
    const auto found = parse_credentials(
        "Name:\tcat\nUmask:\t0022\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nFDSize:\t64\n");
    ASSERT_TRUE(found);
    EXPECT_EQ(found->uid.real, 1U);
    EXPECT_EQ(found->uid.effective, 2U);
    EXPECT_EQ(found->uid.saved, 3U);
    EXPECT_EQ(found->gid.real, 5U);
    EXPECT_EQ(found->gid.effective, 6U);
    EXPECT_EQ(found->gid.saved, 7U);
}

TEST(Access, ANameCannotForgeThem) {
    const auto found =
        parse_credentials("Name:\t\\nUid:\t9\t9\t9\t9\nUid:\t1\t1\t1\t1\nGid:\t1\t1\t1\t1\n");
    ASSERT_TRUE(found);
    EXPECT_EQ(found->uid.real, 1U);
}

TEST(Access, HalfATextIsNone) {
    EXPECT_FALSE(parse_credentials(""));
    EXPECT_FALSE(parse_credentials("Name:\tcat\nUid:\t1\t2\t3\t4\n"));
    EXPECT_FALSE(parse_credentials("Name:\tcat\nUid:\t1\t2\nGid:\t1\t1\t1\t1\n"));
    EXPECT_FALSE(parse_credentials("Name:\tcat\nUid:\tx\t2\t3\t4\nGid:\t1\t1\t1\t1\n"));
}

}  // namespace
}  // namespace mpol::fs

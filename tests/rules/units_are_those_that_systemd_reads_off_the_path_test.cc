// SPDX-License-Identifier: Apache-2.0
// Paths of systemd's own test-cgroup-util.c, and some that are no units.
#include "rules.h"

namespace mpol::rules::test {
namespace {

using Units = std::vector<std::string>;

TEST(Units, OfTheSystem) {
    EXPECT_EQ(units_of("/system.slice/foobar.service/sdfdsaf"), Units{"foobar.service"});
    EXPECT_EQ(units_of("/system.slice/getty@tty5.service"), Units{"getty@tty5.service"});
    EXPECT_EQ(units_of("/a.slice/a-b.slice/getty@tty6.service/tty5"), Units{"getty@tty6.service"});
    EXPECT_EQ(units_of("/init.scope"), Units{"init.scope"});
    EXPECT_EQ(units_of("/system.slice/_cpu.service"), Units{"cpu.service"});
}

TEST(Units, OfAUserAreBelowTheManagersAndTheSessions) {
    EXPECT_EQ(units_of("/user.slice/user-1000.slice/user@1000.service/app.slice/foo.service/sub"),
              (Units{"user@1000.service", "foo.service"}));
    EXPECT_EQ(units_of("/user.slice/user-1000.slice/session-2.scope/foobar.service"),
              (Units{"session-2.scope", "foobar.service"}));
    EXPECT_EQ(units_of("/user.slice/user-1000.slice/session-2.scope"), Units{"session-2.scope"});
}

TEST(Units, AreNoneElsewhere) {
    for (const char* path :
         {"", "/", "/getty5", "/getty5/a.service", "/user.slice", "/.service",
          "/system.slice/waldo.slice", "/a b.service", "/kubepods/besteffort/pod1"}) {
        EXPECT_EQ(units_of(path), Units{}) << path;
    }
}

TEST(Units, MatchByGlob) {
    Facts facts = process("x");
    facts.units = units_of("/user.slice/user-1000.slice/user@1000.service/app.slice/foo.service");
    EXPECT_TRUE(wins("{ unit = 'foo.*' }", facts));
    EXPECT_TRUE(wins("{ unit = 'user@*' }", facts));
    EXPECT_EQ(found("{ unit = 'bar' }", facts), "none of 2 units");
}

}  // namespace
}  // namespace mpol::rules::test

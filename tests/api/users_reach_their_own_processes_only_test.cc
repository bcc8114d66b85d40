// SPDX-License-Identifier: Apache-2.0
// Root reads and undoes everything, others what is theirs: now, and not only when the daemon met
// it.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/api/served.h"

namespace mpol::daemon {
namespace {

constexpr pid_t kFirst = 100'000'000;  // no process has such an id

class Access : public Served {
  protected:
    // A process of nobody's until the end of the test.
    pid_t spawn_of_nobody() {
        int ready[2];
        EXPECT_EQ(::pipe(ready), 0);
        const pid_t pid = ::fork();
        if (pid == 0) {
            // exec, because whoever changes his user is root's until then.
            if (::setresuid(kNobody, kNobody, kNobody) != 0) ::_exit(1);
            ::dup2(ready[1], 1);
            ::execlp("sh", "sh", "-c", "echo; exec sleep 60", nullptr);
            ::_exit(1);
        }
        ::close(ready[1]);
        char byte = 0;
        EXPECT_EQ(::read(ready[0], &byte, 1), 1);
        ::close(ready[0]);
        spawned_ = pid;
        return pid;
    }
    void TearDown() override {
        if (spawned_ <= 0) return;
        ::kill(spawned_, SIGKILL);
        ::waitpid(spawned_, nullptr, 0);
    }

  private:
    pid_t spawned_ = 0;
};

#define NEEDS_ROOT() \
    if (::geteuid() != 0) GTEST_SKIP() << "another user can be tried by root only"

TEST_F(Access, OthersProcessesAreHiddenAndRefused) {
    NEEDS_ROOT();
    const pid_t own = spawn_of_nobody();
    in_loop([&] {
        service_.attach(::getpid(), 0);
        service_.attach(own, kNobody);
        service_.write(own, kNobody);
        service_.write(::getpid(), 0);
    });
    ASSERT_TRUE(as_user(kNobody, [&] {
        Client client = connected();
        const auto refused = client.call("io.mpol.Daemon.Undo", {{"pid", ::getpid()}});
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().err, EPERM);
        EXPECT_EQ(client.call("io.mpol.Daemon.Explain", {{"pid", ::getpid()}}).error().err, EPERM);
        EXPECT_EQ(client.call("io.mpol.Daemon.Reload").error().err, EPERM);
        const auto log = client.call("io.mpol.Daemon.Log", {{"count", 5}});
        ASSERT_TRUE(log) << log.error().what;
        EXPECT_EQ((*log)["entries"].size(), 1U);
        EXPECT_EQ((*log)["entries"][0]["pid"], own);
        std::vector<pid_t> listed;
        ASSERT_TRUE(client.stream("io.mpol.Daemon.List", Json::object(), [&](const Json& page) {
            for (const Json& one : page["processes"]) listed.push_back(one["pid"]);
            return true;
        }));
        EXPECT_EQ(listed, std::vector<pid_t>{own});
        ASSERT_TRUE(
            client.stream("io.mpol.Daemon.Undo", Json::object(), [](const Json&) { return true; }));
    }));
    in_loop([&] {
        EXPECT_EQ(service_.undone, std::set<pid_t>{own});
        EXPECT_EQ(service_.reloads, 0);
    });
}

TEST_F(Access, AProcessThatIsAnothersByNowIsRefused) {
    NEEDS_ROOT();
    // As if this process, root's, had been nobody's when the daemon met it.
    in_loop([&] { service_.attach(::getpid(), kNobody); });
    ASSERT_TRUE(as_user(kNobody, [&] {
        EXPECT_EQ(connected().call("io.mpol.Daemon.Undo", {{"pid", ::getpid()}}).error().err,
                  EPERM);
    }));
    in_loop([&] { EXPECT_TRUE(service_.undone.empty()); });
}

TEST_F(Access, TheDaemonsOwnUserReachesAll) {
    in_loop([&] { service_.attach(::getpid(), ::geteuid()); });
    Client client = connected();
    const auto undone = client.call("io.mpol.Daemon.Undo", {{"pid", ::getpid()}});
    ASSERT_TRUE(undone) << undone.error().what;
    EXPECT_EQ((*undone)["undone"][0]["policy"], "local");
    const auto rules = client.call("io.mpol.Daemon.Reload");
    ASSERT_TRUE(rules) << rules.error().what;
    EXPECT_EQ((*rules)["rules"], 7);
    EXPECT_EQ(client.call("io.mpol.Daemon.Undo", {{"pid", kFirst}}).error().err, ESRCH);
}

}  // namespace
}  // namespace mpol::daemon

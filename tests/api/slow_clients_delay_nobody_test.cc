// SPDX-License-Identifier: Apache-2.0
// Clients that don't read, that stop in the middle of a call, that flood or that are too many: the
// loop goes on for everybody else.
#include <gtest/gtest.h>

#include "daemon/api/methods.h"
#include "tests/api/served.h"

namespace mpol::daemon {
namespace {

constexpr pid_t kFirst = 100'000'000;
constexpr int kProcesses = 10'000;
const std::string kList = frame(Call{"io.mpol.Daemon.List", Json::object(), true});

class SlowClients : public Served {
  protected:
    void expect_answers() {
        const auto status = connected().call("io.mpol.Daemon.Status");
        ASSERT_TRUE(status) << status.error().what;
        EXPECT_EQ((*status)["status"]["version"], "1.2.3");
    }
    size_t clients_now() {
        size_t count = 0;
        in_loop([&] { count = server_->clients(); });
        return count;
    }
    // The end of a connection may be seen after the beginning of another.
    void expect_clients(size_t count) {
        constexpr int kTurnsMax = 1000;
        for (int turns = 0; turns < kTurnsMax && clients_now() > count; ++turns) expect_answers();
        EXPECT_EQ(clients_now(), count);
    }
};

TEST_F(SlowClients, OneThatDoesNotReadHoldsAPageOnly) {
    in_loop([&] {
        for (pid_t pid = kFirst; pid < kFirst + kProcesses; ++pid)
            service_.attach(pid, ::geteuid());
    });
    const Descriptor slow = raw();
    for (int i = 0; i < 100; ++i) say(slow, kList);
    expect_answers();
    // And all is there when it does read.
    Client client = connected();
    int listed = 0;
    ASSERT_TRUE(client.stream("io.mpol.Daemon.List", Json::object(), [&](const Json& page) {
        EXPECT_LE(page["processes"].size(), kPageRows);
        listed += static_cast<int>(page["processes"].size());
        return true;
    }));
    EXPECT_EQ(listed, ::geteuid() == 0 ? kProcesses : 0);
}

TEST_F(SlowClients, OneThatStopsInTheMiddleOfACallWaitsAlone) {
    const Descriptor half = raw();
    say(half, kList.substr(0, 10));
    expect_answers();
    say(half, kList.substr(10));
    char byte = 0;
    EXPECT_EQ(::recv(half.get(), &byte, 1, 0), 1);
    EXPECT_EQ(byte, '{');
}

TEST_F(SlowClients, OneWhoseCallHasNoEndIsHungUpOn) {
    const Descriptor endless = raw();
    say(endless, std::string(kCallBytesMax + 1, ' '));
    EXPECT_EQ(hear_all(endless), "");
    const Descriptor nonsense = raw();
    say(nonsense, std::string("GET / HTTP/1.1\r\n\r\n\0", 19));
    EXPECT_EQ(hear_all(nonsense), "");
    expect_answers();
    EXPECT_LE(clients_now(), 1U);
}

TEST_F(SlowClients, CallsInARowAreAnsweredInOrder) {
    const Descriptor client = raw();
    say(client, frame(Call{"io.mpol.Daemon.Status"}) + frame(Call{"a.B"}) +
                    frame(Call{"io.mpol.Daemon.Reload", Json::object(), false, true}) +
                    frame(Call{"org.varlink.service.GetInfo"}));
    ::shutdown(client.get(), SHUT_WR);
    Frames frames(kReplyBytesMax);
    ASSERT_TRUE(frames.feed(hear_all(client)));
    EXPECT_TRUE(parse_reply(frames.next().value_or(""))->parameters.contains("status"));
    EXPECT_EQ(parse_reply(frames.next().value_or(""))->error,
              "org.varlink.service.InterfaceNotFound");
    EXPECT_EQ(parse_reply(frames.next().value_or(""))->parameters["vendor"], "mpol");
    EXPECT_FALSE(frames.next());
    in_loop([&] { EXPECT_EQ(service_.reloads, 1); });
}

TEST_F(SlowClients, OneUserHasOnlySoManyConnections) {
    if (::geteuid() != 0) GTEST_SKIP() << "another user can be tried by root only";
    std::vector<Descriptor> held;
    ASSERT_TRUE(as_user(kNobody, [&] {
        for (size_t i = 0; i < kClientsOfOneMax; ++i) held.push_back(raw());
        const auto refused = connected().call("io.mpol.Daemon.Status");
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().err, EAGAIN);
    }));
    expect_answers();
    held.pop_back();
    // The loop sees the end of one before it sees the beginning of the next.
    expect_clients(kClientsOfOneMax - 1);
    ASSERT_TRUE(as_user(kNobody, [&] { expect_answers(); }));
}

TEST_F(SlowClients, TheLogIsFollowedAndGapsAreCounted) {
    in_loop([&] {
        service_.log_max = 100;
        for (int i = 0; i < 3; ++i) service_.write(1, ::geteuid());
    });
    Client client = connected();
    std::vector<uint64_t> seen;
    uint64_t lost = 0;
    bool wrote = false;
    const auto take = [&](const Json& page) {
        for (const Json& entry : page["entries"]) seen.push_back(entry["sequence"]);
        lost += page["lost"].get<uint64_t>();
        if (page["entries"].empty() && !wrote) {
            // It waits now: what it can't keep up with is counted.
            wrote = true;
            in_loop([&] {
                for (int i = 0; i < 500; ++i) service_.write(1, ::geteuid());
            });
        }
        return seen.empty() || seen.back() < 503;
    };
    ASSERT_TRUE(client.stream("io.mpol.Daemon.Log", {{"count", 2}, {"follow", true}}, take, true));
    ASSERT_EQ(seen.size(), 102U);
    EXPECT_EQ(seen[0], 2U);
    EXPECT_EQ(seen[1], 3U);
    EXPECT_EQ(seen[2], 404U);
    EXPECT_EQ(lost, 400U);
}

TEST_F(SlowClients, AFollowerThatHasGoneIsForgotten) {
    Client client = connected();
    ASSERT_TRUE(client.stream(
        "io.mpol.Daemon.Log", {{"follow", true}}, [](const Json&) { return false; }, true));
    EXPECT_EQ(clients_now(), 1U);
    client = connected();
    expect_clients(1);
}

}  // namespace
}  // namespace mpol::daemon

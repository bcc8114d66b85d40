// SPDX-License-Identifier: Apache-2.0
// Bytes to messages to calls, however the bytes are cut; what is no call is told.
#include <gtest/gtest.h>

#include <string>

#include "daemon/api/frame.h"
#include "daemon/api/message.h"

namespace mpol::daemon {
namespace {

using namespace std::string_literals;

TEST(Frames, AreTheSameHoweverTheBytesAreCut) {
    const std::string bytes = "one\0\0three\0fo"s;
    for (size_t cut = 1; cut <= bytes.size(); ++cut) {
        Frames frames(5);
        std::string heard;
        for (size_t at = 0; at < bytes.size(); at += cut) {
            ASSERT_TRUE(frames.feed(std::string_view(bytes).substr(at, cut)));
            if (cut > 1) continue;
            while (const auto message = frames.next()) heard += *message + "|";
        }
        while (const auto message = frames.next()) heard += *message + "|";
        EXPECT_EQ(heard, "one||three|") << cut;
    }
}

TEST(Frames, RefuseAMessageThatIsTooLong) {
    Frames exact(5);
    EXPECT_TRUE(exact.feed("12345\0"s));
    Frames over(5);
    EXPECT_FALSE(over.feed("123456\0"s));
    Frames endless(5);
    EXPECT_TRUE(endless.feed("12345"));
    EXPECT_FALSE(endless.feed("6"));
    EXPECT_FALSE(endless.feed("\0"s));
}

TEST(Messages, CallsAreRead) {
    const auto call = parse_call(R"({"method":"a.B","parameters":{"x":1},"more":true})");
    ASSERT_TRUE(call);
    EXPECT_EQ(call->method, "a.B");
    EXPECT_EQ(call->parameters, Json({{"x", 1}}));
    EXPECT_TRUE(call->more);
    EXPECT_FALSE(call->oneway);
    EXPECT_TRUE(parse_call(R"({"method":"a.B","parameters":null,"later":[]})"));
}

TEST(Messages, WhatIsNoCallIsNone) {
    for (const std::string text :
         {"", "{", "[]", "1", "{}", R"({"method":1})", R"({"method":""})", "{\"method\":\"\xff\"}",
          R"({"method":"a.B","parameters":[]})", R"({"method":"a.B","more":1})",
          R"({"method":"a.B","upgrade":true})", R"({"method":"a.B"} x)",
          R"({"method":"a.B","parameters":{"x":[[[[[[[[1]]]]]]]]}})"}) {
        EXPECT_FALSE(parse_call(text)) << text;
    }
    EXPECT_FALSE(parse_call(std::string(kCallBytesMax, '[')));
}

TEST(Messages, RepliesComeBackAsTheyWere) {
    const Reply reply{{{"comm", "caf\xc3\xa9"}}, true, "a.Error"};
    const std::string text = frame(reply);
    EXPECT_EQ(text.find('\0'), text.size() - 1);
    const auto back = parse_reply(std::string_view(text).substr(0, text.size() - 1));
    ASSERT_TRUE(back);
    EXPECT_EQ(back->parameters, reply.parameters);
    EXPECT_TRUE(back->continues);
    EXPECT_EQ(back->error, "a.Error");
}

TEST(Messages, NamesThatAreNoTextDoNotBreakAFrame) {
    const std::string text = frame(Reply{{{"comm", "a\0\xff"s}}});
    EXPECT_EQ(text.find('\0'), text.size() - 1);
    EXPECT_TRUE(parse_reply(std::string_view(text).substr(0, text.size() - 1)));
}

TEST(Values, NumbersOutOfRangeAreRefused) {
    pid_t pid = 7;
    for (const char* text :
         {"2147483648", "-2147483649", "1.5", "1e3", "\"1\"", "true", "18446744073709551616"}) {
        EXPECT_FALSE(from_wire(Json::parse(text), pid)) << text;
    }
    EXPECT_EQ(pid, 7);
    uint64_t count = 0;
    EXPECT_FALSE(from_wire(Json::parse("-1"), count));
    EXPECT_TRUE(from_wire(Json::parse("18446744073709551615"), count));
    EXPECT_EQ(count, UINT64_MAX);
}

TEST(Values, ComeBackAsTheyWere) {
    LogEntry entry;
    entry.sequence = UINT64_MAX;
    entry.comm = "redis";
    entry.rule = RuleName{"db", "/etc/a.toml", 4};
    entry.latency_us = 12;
    LogEntry back;
    ASSERT_TRUE(from_wire(to_wire(entry), back));
    EXPECT_EQ(to_wire(back), to_wire(entry));
    back.rule.reset();
    EXPECT_EQ(to_wire(back)["rule"], nullptr);
}

}  // namespace
}  // namespace mpol::daemon

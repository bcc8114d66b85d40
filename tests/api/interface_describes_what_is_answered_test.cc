// SPDX-License-Identifier: Apache-2.0
// The interface's description names every method that is answered, and every member of every value,
// in their order: who generates code from it gets what the daemon sends.
#include <gtest/gtest.h>

#include <cctype>
#include <set>
#include <string>
#include <vector>

#include "daemon/api/interface.h"
#include "daemon/api/methods.h"
#include "tests/api/fake_service.h"

namespace mpol::daemon {
namespace {

// Without comments and blanks.
std::string squeezed(std::string_view text) {
    std::string out;
    bool comment = false;
    for (const char c : text) {
        comment = c == '#' || (comment && c != '\n');
        if (!comment && std::isspace(static_cast<unsigned char>(c)) == 0) out += c;
    }
    return out;
}

template <class T>
std::string type_name(const char* own) {
    if constexpr (std::same_as<T, bool>) return "bool";
    if constexpr (std::integral<T>) return "int";
    if constexpr (std::same_as<T, std::string>) return "string";
    return own;
}
template <class T>
std::string type_of(const T&) {
    if constexpr (std::same_as<T, RuleName>) return "RuleName";
    if constexpr (std::same_as<T, AttachedProcess>) return "AttachedProcess";
    if constexpr (std::same_as<T, LogEntry>) return "LogEntry";
    return type_name<T>("?");
}
template <class T>
std::string type_of(const std::optional<T>&) {
    return "?" + type_of(T{});
}
template <class T>
std::string type_of(const std::vector<T>&) {
    return "[]" + type_of(T{});
}

template <class T>
std::string described(const char* name) {
    std::string out = std::string("type") + name + "(";
    const char* comma = "";
    const T value{};
    members(
        [&](const char* member, const auto& it) {
            out += comma + std::string(member) + ":" + type_of(it);
            comma = ",";
        },
        value);
    return out + ")";
}

TEST(Interface, DescribesEveryValue) {
    const std::string text = squeezed(interface_description(kInterface));
    for (const std::string& type :
         {described<RuleName>("RuleName"), described<DaemonStatus>("DaemonStatus"),
          described<AttachedProcess>("AttachedProcess"), described<LogEntry>("LogEntry"),
          described<Account>("Account"), described<Undone>("Undone"),
          described<Applied>("Applied")}) {
        EXPECT_NE(text.find(type), std::string::npos) << type;
    }
}

std::set<std::string> described_methods(std::string_view interface) {
    constexpr std::string_view kWord = "\nmethod ";
    const std::string_view text = interface_description(interface);
    std::set<std::string> names;
    for (size_t at = text.find(kWord); at != text.npos; at = text.find(kWord, at + 1)) {
        const size_t from = at + kWord.size();
        names.insert(std::string(text.substr(from, text.find('(', from) - from)));
    }
    return names;
}

TEST(Interface, DescribesTheMethodsThatAreAnswered) {
    FakeService service;
    for (const std::string_view interface : {kInterface, kServiceInterface}) {
        const std::set<std::string> names = described_methods(interface);
        EXPECT_GE(names.size(), 2U);
        for (const std::string& name : names) {
            Call call;
            call.method = std::string(interface) + "." + name;
            const Replies replies = answer(service, {}, call);
            const auto* const reply = std::get_if<Reply>(&replies);
            if (reply == nullptr) continue;
            EXPECT_EQ(reply->error.find("MethodNotFound"), std::string::npos) << reply->error;
        }
    }
    EXPECT_EQ(
        described_methods(kInterface),
        (std::set<std::string>{"Status", "List", "Explain", "Undo", "Apply", "Reload", "Log"}));
}

TEST(Interface, IsToldByTheServiceItself) {
    FakeService service;
    const auto asked = [&](const char* method, Json parameters) {
        return std::get<Reply>(answer(service, {}, {method, std::move(parameters)}));
    };
    const Reply info = asked("org.varlink.service.GetInfo", Json::object());
    EXPECT_EQ(info.parameters["interfaces"], Json({"org.varlink.service", "io.mpol.Daemon"}));
    EXPECT_EQ(info.parameters["version"], "1.2.3");
    const Reply text =
        asked("org.varlink.service.GetInterfaceDescription", {{"interface", "io.mpol.Daemon"}});
    EXPECT_EQ(text.parameters["description"], interface_description(kInterface));
    const Reply none =
        asked("org.varlink.service.GetInterfaceDescription", {{"interface", "io.mpol.Nothing"}});
    EXPECT_EQ(none.error, "org.varlink.service.InterfaceNotFound");
}

TEST(Interface, WhatIsNotThereIsNamed) {
    FakeService service;
    const auto asked = [&](const char* method, Json parameters = Json::object()) {
        return std::get<Reply>(answer(service, {}, {method, std::move(parameters)}));
    };
    EXPECT_EQ(asked("io.mpol.Daemon.Status2").error, "org.varlink.service.MethodNotFound");
    EXPECT_EQ(asked("Status").error, "org.varlink.service.MethodNotFound");
    EXPECT_EQ(asked("io.mpol.Other.Status").error, "org.varlink.service.InterfaceNotFound");
    for (const Json& wrong : {Json{{"pid", "1"}}, Json{{"pid", 0}}, Json{{"pid", -5}},
                              Json{{"pid", 1LL << 40}}, Json::object()}) {
        const Reply reply = asked("io.mpol.Daemon.Explain", wrong);
        EXPECT_EQ(reply.error, "org.varlink.service.InvalidParameter") << wrong;
        EXPECT_EQ(reply.parameters["parameter"], "pid");
    }
    const Reply unknown = asked("io.mpol.Daemon.Status", {{"frob", 1}});
    EXPECT_EQ(unknown.error, "org.varlink.service.InvalidParameter");
    EXPECT_EQ(unknown.parameters["parameter"], "frob");
    for (const char* method :
         {"io.mpol.Daemon.List", "io.mpol.Daemon.Undo", "io.mpol.Daemon.Log"}) {
        EXPECT_EQ(asked(method).error, "org.varlink.service.ExpectedMore") << method;
    }
}

}  // namespace
}  // namespace mpol::daemon

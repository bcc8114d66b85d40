// SPDX-License-Identifier: Apache-2.0
// The values of service.h as JSON and back. Each type's members are told once, in members(): the
// writer, the reader and the test of the interface's description all go by it.
#pragma once

#include <concepts>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "daemon/api/service.h"

namespace mpol::daemon {

using Json = nlohmann::ordered_json;

template <class T, class Value>
concept MaybeConst = std::same_as<std::remove_const_t<T>, Value>;

void members(auto&& visit, MaybeConst<RuleName> auto& it) {
    visit("name", it.name);
    visit("file", it.file);
    visit("line", it.line);
}
void members(auto&& visit, MaybeConst<DaemonStatus> auto& it) {
    visit("version", it.version);
    visit("pid", it.pid);
    visit("user", it.user);
    visit("events", it.events);
    visit("events_note", it.events_note);
    visit("rules_from", it.rules_from);
    visit("rules", it.rules);
    visit("rules_loaded_ns", it.rules_loaded_ns);
    visit("rules_error", it.rules_error);
    visit("attached", it.attached);
    visit("left_out", it.left_out);
    visit("descriptors", it.descriptors);
    visit("log_first", it.log_first);
    visit("log_last", it.log_last);
    visit("journal_lost", it.journal_lost);
}
void members(auto&& visit, MaybeConst<AttachedProcess> auto& it) {
    visit("pid", it.pid);
    visit("comm", it.comm);
    visit("uid", it.uid);
    visit("rule", it.rule);
    visit("policy", it.policy);
    visit("note", it.note);
}
void members(auto&& visit, MaybeConst<LogEntry> auto& it) {
    visit("sequence", it.sequence);
    visit("time_ns", it.time_ns);
    visit("event", it.event);
    visit("pid", it.pid);
    visit("tid", it.tid);
    visit("comm", it.comm);
    visit("uid", it.uid);
    visit("from", it.from);
    visit("to", it.to);
    visit("why", it.why);
    visit("rule", it.rule);
    visit("by", it.by);
    visit("latency_us", it.latency_us);
}
void members(auto&& visit, MaybeConst<Account> auto& it) {
    visit("process", it.process);
    visit("history", it.history);
}
void members(auto&& visit, MaybeConst<Undone> auto& it) {
    visit("pid", it.pid);
    visit("tid", it.tid);
    visit("comm", it.comm);
    visit("done", it.done);
    visit("policy", it.policy);
    visit("why", it.why);
}
void members(auto&& visit, MaybeConst<Applied> auto& it) {
    visit("pid", it.pid);
    visit("tid", it.tid);
    visit("comm", it.comm);
    visit("rule", it.rule);
    visit("done", it.done);
    visit("from", it.from);
    visit("to", it.to);
    visit("why", it.why);
    visit("generation", it.generation);
}

namespace detail {
template <class T>
struct Is {
    static constexpr bool kOptional = false;
    static constexpr bool kVector = false;
};
template <class T>
struct Is<std::optional<T>> {
    static constexpr bool kOptional = true;
    static constexpr bool kVector = false;
};
template <class T>
struct Is<std::vector<T>> {
    static constexpr bool kOptional = false;
    static constexpr bool kVector = true;
};
}  // namespace detail

template <class T>
[[nodiscard]] Json to_wire(const T& value) {
    if constexpr (std::integral<T> || std::same_as<T, std::string>) {
        return value;
    } else if constexpr (detail::Is<T>::kOptional) {
        return value ? to_wire(*value) : Json(nullptr);
    } else if constexpr (detail::Is<T>::kVector) {
        Json out = Json::array();
        for (const auto& one : value) out.push_back(to_wire(one));
        return out;
    } else {
        Json out = Json::object();
        members([&](const char* name, const auto& member) { out[name] = to_wire(member); }, value);
        return out;
    }
}

// False: of another type, or out of its range. Members that are missing, as a daemon of another
// version may leave them, keep what they have.
template <class T>
[[nodiscard]] bool from_wire(const Json& json, T& ret_value) {
    if constexpr (std::same_as<T, bool>) {
        if (!json.is_boolean()) return false;
        ret_value = json.get<bool>();
    } else if constexpr (std::integral<T>) {
        if (json.is_number_unsigned()) {
            const auto number = json.get<uint64_t>();
            if (!std::in_range<T>(number)) return false;
            ret_value = static_cast<T>(number);
        } else {
            if (!json.is_number_integer() || !std::in_range<T>(json.get<int64_t>())) return false;
            ret_value = static_cast<T>(json.get<int64_t>());
        }
    } else if constexpr (std::same_as<T, std::string>) {
        if (!json.is_string()) return false;
        ret_value = json.get<std::string>();
    } else if constexpr (detail::Is<T>::kOptional) {
        ret_value.reset();
        return json.is_null() || from_wire(json, ret_value.emplace());
    } else if constexpr (detail::Is<T>::kVector) {
        if (!json.is_array()) return false;
        ret_value.clear();
        for (const Json& one : json) {
            if (!from_wire(one, ret_value.emplace_back())) return false;
        }
    } else {
        if (!json.is_object()) return false;
        bool good = true;
        members(
            [&](const char* name, auto& member) {
                const auto at = json.find(name);
                if (at != json.end()) good = from_wire(*at, member) && good;
            },
            ret_value);
        return good;
    }
    return true;
}

}  // namespace mpol::daemon

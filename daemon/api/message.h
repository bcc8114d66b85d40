// SPDX-License-Identifier: Apache-2.0
// Varlink's messages, without their framing. Pure.
// Source: https://varlink.org/Method-Call
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "daemon/api/json.h"

namespace mpol::daemon {

struct Call {
    std::string method;
    Json parameters = Json::object();
    bool more = false;    // several replies may come
    bool oneway = false;  // none must
};

// Of an error the name; empty: none.
struct Reply {
    Json parameters = Json::object();
    bool continues = false;
    std::string error{};
};

// Nested deeper, a message is none of ours.
inline constexpr int kNestingMax = 8;

// Empty: it is no call. Calls that want to upgrade the connection are none.
[[nodiscard]] std::optional<Call> parse_call(std::string_view text);
[[nodiscard]] std::optional<Reply> parse_reply(std::string_view text);

// With the NUL. What is no UTF-8 (names of processes) is replaced.
[[nodiscard]] std::string frame(const Call& call);
[[nodiscard]] std::string frame(const Reply& reply);

// The errors of org.varlink.service.
[[nodiscard]] Reply interface_not_found(std::string_view interface);
[[nodiscard]] Reply method_not_found(std::string_view method);
[[nodiscard]] Reply invalid_parameter(std::string_view parameter);
[[nodiscard]] Reply permission_denied();
[[nodiscard]] Reply expected_more();

}  // namespace mpol::daemon

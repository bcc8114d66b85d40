// SPDX-License-Identifier: Apache-2.0
// Parameters of a call, read strictly: one that is wrong or unknown is named in the reply.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <string_view>

#include "daemon/api/message.h"

namespace mpol::daemon {

// A reply: a parameter that the method does not have.
[[nodiscard]] inline std::optional<Reply> refuse_unknown(
    const Call& call, std::initializer_list<std::string_view> known) {
    for (const auto& [name, value] : call.parameters.items()) {
        if (std::find(known.begin(), known.end(), name) == known.end()) {
            return invalid_parameter(name);
        }
    }
    return std::nullopt;
}

// Missing or null, ret_value keeps what it has. A reply: of another type, or out of range.
template <class T>
[[nodiscard]] std::optional<Reply> read_parameter(const Call& call, const char* name,
                                                  T& ret_value) {
    const auto at = call.parameters.find(name);
    if (at == call.parameters.end() || at->is_null()) return std::nullopt;
    if (from_wire(*at, ret_value)) return std::nullopt;
    return invalid_parameter(name);
}

// 0: none was named.
[[nodiscard]] inline std::optional<Reply> read_pid(const Call& call, pid_t& ret_pid) {
    std::optional<pid_t> pid;
    if (const auto bad = read_parameter(call, "pid", pid)) return bad;
    if (pid && *pid <= 0) return invalid_parameter("pid");
    ret_pid = pid.value_or(0);
    return std::nullopt;
}

}  // namespace mpol::daemon

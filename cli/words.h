// SPDX-License-Identifier: Apache-2.0
// Numbers, names and times as a person reads them. Whatever a process says of itself goes through
// printable() on its way to a terminal.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/values.h"
#include "control/words.h"
#include "policy/policy.h"

namespace mpol::cli {

// ASCII as it is; a backslash and every other byte as an escape (\\, \x1b).
[[nodiscard]] std::string printable(std::string_view text);

[[nodiscard]] std::string in_quotes(std::string_view text);

// "root", or empty when nobody has that number.
[[nodiscard]] std::string user_name(uint32_t uid);

// Local time with milliseconds and zone; "at an unknown time" for what is no time.
[[nodiscard]] std::string local_time(uint64_t realtime_ns);
// RFC 3339, UTC; empty for what is no time.
[[nodiscard]] std::string utc_time(uint64_t realtime_ns);

// Who set a policy and when, as the end of "set by".
[[nodiscard]] std::string setter(const control::Origin& origin);
// "program", "launcher", "outside", "inherited", "daemon", "unknown"
[[nodiscard]] std::string_view origin_name(mpol_ctl_origin kind);

// "map", "unmap", "policy", "migrate"
[[nodiscard]] std::string_view event_name(mpol_event event);
// Why a watch ended: "gone", and as a sentence's end.
[[nodiscard]] std::string_view watch_end_name(WatchEnd::Why why);
[[nodiscard]] std::string_view watch_end_words(WatchEnd::Why why);

// "binding a region failed"
[[nodiscard]] std::string_view error_sentence(mpol_ctl_error_code code);

// "ok", "note", "problem"
[[nodiscard]] std::string_view health_name(Health health);

// "0-1,3", or "-" for none
[[nodiscard]] std::string nodes_words(const NodeMask& nodes);

// "node 0: 5 (83.3 %), node 1: 1 (16.7 %)", and who says so if not the user; empty for a policy
// without weights of its own.
[[nodiscard]] std::string weights_words(const Policy& policy, const NodeMask& effective);
// "given", "auto", "system"
[[nodiscard]] std::string_view weight_source_name(WeightSource source);

// "12.0 MiB"
[[nodiscard]] std::string bytes_words(uint64_t bytes);

// "4242, 4243, 4244 and 7 more"
[[nodiscard]] std::string ids_words(const std::vector<pid_t>& ids);

// "100M" as bytes, K, M, G and T being powers of 1024; empty: not that, or 0.
[[nodiscard]] std::optional<uint64_t> parse_bytes(std::string_view text);

// "1 thread", "2 threads"
[[nodiscard]] std::string count_words(uint64_t count, std::string_view noun);

}  // namespace mpol::cli

// SPDX-License-Identifier: Apache-2.0
#include "cli/words.h"

#include <fmt/format.h>
#include <pwd.h>

#include <algorithm>
#include <charconv>
#include <ctime>

#include "policy/text.h"
#include "policy/weights.h"

namespace mpol::cli {
namespace {

// As many thread ids as fit on a line.
constexpr size_t kIdsShownMax = 8;
constexpr uint64_t kNsPerSecond = 1'000'000'000;

bool broken_down(uint64_t realtime_ns, bool utc, std::tm& ret_time) {
    const auto seconds = static_cast<std::time_t>(realtime_ns / kNsPerSecond);
    if (realtime_ns == 0) return false;
    return (utc ? ::gmtime_r(&seconds, &ret_time) : ::localtime_r(&seconds, &ret_time)) != nullptr;
}

std::string formatted(const char* format, const std::tm& time) {
    char buf[64];
    return std::string(buf, std::strftime(buf, sizeof(buf), format, &time));
}

}  // namespace

std::string printable(std::string_view text) {
    std::string shown;
    for (const char c : text) {
        if (c == '\\') {
            shown += "\\\\";
        } else if (c >= ' ' && c <= '~') {
            shown += c;
        } else {
            shown += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
        }
    }
    return shown;
}

std::string in_quotes(std::string_view text) {
    return "'" + printable(text) + "'";
}

std::string user_name(uint32_t uid) {
    const passwd* const entry = ::getpwuid(uid);
    return entry != nullptr ? printable(entry->pw_name) : std::string{};
}

std::string local_time(uint64_t realtime_ns) {
    std::tm time{};
    if (!broken_down(realtime_ns, false, time)) return "an unknown time";
    return fmt::format("{}.{:03} {}", formatted("%Y-%m-%d %H:%M:%S", time),
                       realtime_ns % kNsPerSecond / 1'000'000, formatted("%z", time));
}

std::string utc_time(uint64_t realtime_ns) {
    std::tm time{};
    if (!broken_down(realtime_ns, true, time)) return {};
    return fmt::format("{}.{:09}Z", formatted("%Y-%m-%dT%H:%M:%S", time),
                       realtime_ns % kNsPerSecond);
}

std::string setter(const control::Origin& origin) {
    const std::string when = local_time(origin.time_ns);
    switch (origin.kind) {
        case MPOL_CTL_ORIGIN_PROGRAM:
            return "the program itself, at " + when;
        case MPOL_CTL_ORIGIN_LAUNCHER:
            return "the launcher (mpol run), at " + when;
        case MPOL_CTL_ORIGIN_INHERITED:
            return "whoever started it (inherited), at " + when;
        case MPOL_CTL_ORIGIN_OUTSIDE: {
            const std::string name = user_name(origin.uid);
            return fmt::format("user {} (uid {}), pid {}, at {}", name.empty() ? "unknown" : name,
                               origin.uid, origin.pid, when);
        }
        case MPOL_CTL_ORIGIN_DAEMON:
            return fmt::format("mpold, pid {}, by a rule, at {}", origin.pid, when);
        case MPOL_CTL_ORIGIN_NONE:
            break;
    }
    return "unknown, at " + when;
}

std::string_view origin_name(mpol_ctl_origin kind) {
    switch (kind) {
        case MPOL_CTL_ORIGIN_PROGRAM:
            return "program";
        case MPOL_CTL_ORIGIN_LAUNCHER:
            return "launcher";
        case MPOL_CTL_ORIGIN_OUTSIDE:
            return "outside";
        case MPOL_CTL_ORIGIN_INHERITED:
            return "inherited";
        case MPOL_CTL_ORIGIN_DAEMON:
            return "daemon";
        case MPOL_CTL_ORIGIN_NONE:
            break;
    }
    return "unknown";
}

std::string_view event_name(mpol_event event) {
    switch (event) {
        case MPOL_EVENT_MAP:
            return "map";
        case MPOL_EVENT_UNMAP:
            return "unmap";
        case MPOL_EVENT_POLICY:
            return "policy";
        case MPOL_EVENT_MIGRATE:
            return "migrate";
    }
    return "unknown";
}

std::string_view watch_end_name(WatchEnd::Why why) {
    switch (why) {
        case WatchEnd::Why::kGone:
            return "gone";
        case WatchEnd::Why::kCount:
            return "count";
        case WatchEnd::Why::kTimeout:
            return "timeout";
        case WatchEnd::Why::kInterrupted:
            break;
    }
    return "interrupted";
}

std::string_view watch_end_words(WatchEnd::Why why) {
    switch (why) {
        case WatchEnd::Why::kGone:
            return "it has exited, or is another program now";
        case WatchEnd::Why::kCount:
            return "that many were asked for";
        case WatchEnd::Why::kTimeout:
            return "the time is over";
        case WatchEnd::Why::kInterrupted:
            break;
    }
    return "interrupted";
}

std::string_view error_sentence(mpol_ctl_error_code code) {
    switch (code) {
        case MPOL_CTL_ERROR_MBIND:
            return "binding a region failed";
        case MPOL_CTL_ERROR_SET_MEMPOLICY:
            return "setting a thread's kernel task policy failed";
        case MPOL_CTL_ERROR_HOME_NODE:
            return "setting the home node failed";
        case MPOL_CTL_ERROR_REGION:
            return "no address space could be had for a region";
        case MPOL_CTL_ERROR_COMMIT:
            return "memory of a region could not be committed";
        case MPOL_CTL_ERROR_SEGMENT:
            return "the control segment could not be made";
        case MPOL_CTL_ERROR_HELPER:
            return "the helper thread could not be started";
        case MPOL_CTL_ERROR_SCOPE:
            return "no arena could be had for a thread's own policy";
        case MPOL_CTL_ERROR_SLOTS:
            return "all thread slots were taken";
        case MPOL_CTL_ERROR_PROBE:
            return "the kernel does not tell the memory policy";
        case MPOL_CTL_ERROR_LATCH:
            return "a policy whose bytes make no sense was ignored";
        case MPOL_CTL_ERROR_SIGNAL:
            return "MPOL_SIGNAL names no usable signal";
        case MPOL_CTL_ERROR_MAPPINGS:
            return "its mappings could not be listed, or are too many";
        case MPOL_CTL_ERROR_WEIGHTS:
            return "too few mappings are left for the weights, so nodes have even shares";
        case MPOL_CTL_ERROR_WATCH:
            return "changes of its cpuset can't be watched";
        case MPOL_CTL_ERROR_PLACED:
            return "a thread's own mapping will not outlive a rewrite of the process's";
        case MPOL_CTL_ERROR_NONE:
            break;
    }
    return "an unknown error";
}

std::string_view health_name(Health health) {
    switch (health) {
        case Health::kGood:
            return "ok";
        case Health::kNote:
            return "note";
        case Health::kProblem:
            break;
    }
    return "problem";
}

std::string nodes_words(const NodeMask& nodes) {
    return nodes.empty() ? "-" : nodes_text(nodes);
}

std::string_view weight_source_name(WeightSource source) {
    switch (source) {
        case WeightSource::kGiven:
            return "given";
        case WeightSource::kAuto:
            return "auto";
        case WeightSource::kSystem:
            return "system";
        case WeightSource::kNone:
            break;
    }
    return "none";
}

std::string weights_words(const Policy& policy, const NodeMask& effective) {
    const NodeWeights weights = weights_in_force(policy, effective);
    if (!has_own_weights(policy)) return {};
    if (weights.count == 0) return "none of its nodes is allowed: even shares";
    std::string text;
    for (unsigned i = 0; i < weights.count; ++i) {
        text += fmt::format("{}node {}: {} ({:.1f} %)", i == 0 ? "" : ", ", weights.nodes[i],
                            weights.weights[i], 100.0 * weights.weights[i] / weights.total);
    }
    if (policy.weight_source == WeightSource::kAuto) text += "; by the bandwidths when it was set";
    if (policy.weight_source == WeightSource::kSystem)
        text += "; by the kernel's table when it was set";
    return text;
}

std::optional<uint64_t> parse_bytes(std::string_view text) {
    uint64_t number = 0;
    const char* const end = text.data() + text.size();
    const auto [at, err] = std::from_chars(text.data(), end, number);
    const std::string_view unit(at, static_cast<size_t>(end - at));
    constexpr std::string_view kUnits = "KMGT";
    const size_t power = unit.empty() ? 0 : kUnits.find(unit.front()) + 1;
    const bool known = unit.empty() || (unit.size() == 1 && power != 0);
    if (err != std::errc{} || !known || number == 0 || number > UINT64_MAX >> (10 * power)) {
        return std::nullopt;
    }
    return number << (10 * power);
}

std::string bytes_words(uint64_t bytes) {
    constexpr std::string_view kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    auto value = static_cast<double>(bytes);
    size_t unit = 0;
    for (; value >= 1024; ++unit) value /= 1024;
    return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string ids_words(const std::vector<pid_t>& ids) {
    const size_t shown = std::min(ids.size(), kIdsShownMax);
    std::string text = fmt::format("{}", fmt::join(ids.begin(), ids.begin() + shown, ", "));
    if (shown < ids.size()) text += fmt::format(" and {} more", ids.size() - shown);
    return text;
}

std::string count_words(uint64_t count, std::string_view noun) {
    return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

}  // namespace mpol::cli

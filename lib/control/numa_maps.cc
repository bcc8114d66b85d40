// SPDX-License-Identifier: Apache-2.0
#include "control/numa_maps.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>

#include "policy/modes.h"
#include "policy/parse.h"

namespace mpol::control {
namespace {

template <class Number>
bool take_number(std::string_view& text, Number& ret_number, int base = 10) {
    const auto [end, err] =
        std::from_chars(text.data(), text.data() + text.size(), ret_number, base);
    if (err != std::errc{}) return false;
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    return true;
}

// Where the policy ends: a blank that is not part of a mode's name.
size_t policy_length(std::string_view text) {
    size_t name = 0;
    for (const ModeInfo& mode : kModes) {
        const std::string_view candidate = mode.kernel_name;
        if (text.starts_with(candidate)) name = std::max(name, candidate.size());
    }
    return std::min(text.find(' ', name), text.size());
}

void take_field(std::string_view field, NumaMapsLine& line) {
    std::string_view rest = field;
    unsigned node = 0;
    uint64_t number = 0;
    constexpr std::string_view kPageSize = "kernelpagesize_kB=";
    if (field.starts_with('N') && (rest.remove_prefix(1), take_number(rest, node)) &&
        rest.starts_with('=') && (rest.remove_prefix(1), take_number(rest, number)) &&
        node < kMaxNodes) {
        line.pages[node] += number;
    } else if (field.starts_with(kPageSize)) {
        rest = field.substr(kPageSize.size());
        if (take_number(rest, number)) line.page_bytes = number * 1024;
    } else {
        line.rest += line.rest.empty() ? "" : " ";
        line.rest += field;
    }
}

}  // namespace

std::optional<NumaMapsLine> parse_numa_maps_line(std::string_view text) {
    while (text.ends_with('\n')) text.remove_suffix(1);
    NumaMapsLine line;
    if (!take_number(text, line.start, 16) || !text.starts_with(' ')) return std::nullopt;
    text.remove_prefix(1);
    const size_t length = policy_length(text);
    line.policy = text.substr(0, length);
    if (line.policy.empty()) return std::nullopt;
    text.remove_prefix(length);
    while (!text.empty()) {
        const size_t begin = text.find_first_not_of(' ');
        if (begin == std::string_view::npos) break;
        text.remove_prefix(begin);
        const size_t end = std::min(text.find(' '), text.size());
        take_field(text.substr(0, end), line);
        text.remove_prefix(end);
    }
    return line;
}

std::optional<Policy> parse_printed_policy(std::string_view text) {
    ParseContext context;
    context.has_memory = NodeMask::first_nodes(kMaxNodes);
    context.allow_absent_nodes = true;
    const auto policy = parse_lenient(text, context);
    if (!policy) return std::nullopt;
    return *policy;
}

std::optional<Policy> kernel_task_policy(pid_t pid, pid_t tid) {
    FILE* const file =
        std::fopen(fmt::format("/proc/{}/task/{}/numa_maps", pid, tid).c_str(), "re");
    if (file == nullptr) return std::nullopt;
    char* text = nullptr;
    size_t capacity = 0;
    std::optional<Policy> policy;
    if (const ssize_t size = ::getline(&text, &capacity, file); size > 0) {
        const auto line = parse_numa_maps_line({text, static_cast<size_t>(size)});
        if (line) policy = parse_printed_policy(line->policy);
    }
    std::free(text);
    std::fclose(file);
    return policy;
}

}  // namespace mpol::control

// SPDX-License-Identifier: Apache-2.0
#include "fs/path.h"

#include <sys/stat.h>

#include <algorithm>
#include <charconv>

namespace mpol::fs {
namespace {

// Of the longest path, PID/task/TID/mempolicy; one more tells that there are too many.
constexpr size_t kPartsMax = 4;

std::vector<std::string_view> split(std::string_view path) {
    std::vector<std::string_view> parts;
    while (!path.empty() && parts.size() <= kPartsMax) {
        path.remove_prefix(1);
        const size_t end = std::min(path.find('/'), path.size());
        parts.push_back(path.substr(0, end));
        path.remove_prefix(end);
    }
    return parts;
}

bool parse_id(std::string_view text, pid_t& ret_id) {
    const auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), ret_id);
    return err == std::errc{} && end == text.data() + text.size() && ret_id > 0 && text[0] != '0';
}

std::optional<Kind> kind_in_process(std::string_view name) {
    if (name == "mempolicy") return Kind::kProcessPolicy;
    if (name == "numa_maps") return Kind::kNumaMaps;
    if (name == "status") return Kind::kStatus;
    if (name == "task") return Kind::kTasks;
    return std::nullopt;
}

}  // namespace

std::optional<Node> parse_path(std::string_view path) {
    if (path == "/") return Node{};
    if (!path.starts_with('/')) return std::nullopt;
    const std::vector<std::string_view> parts = split(path);
    Node node{Kind::kProcess};
    if (parts.size() > kPartsMax || !parse_id(parts[0], node.pid)) return std::nullopt;
    if (parts.size() == 1) return node;
    const auto kind = kind_in_process(parts[1]);
    if (!kind) return std::nullopt;
    node.kind = *kind;
    if (parts.size() == 2) return node;
    if (node.kind != Kind::kTasks || !parse_id(parts[2], node.tid)) return std::nullopt;
    node.kind = Kind::kThread;
    if (parts.size() == 3) return node;
    if (parts[3] != "mempolicy") return std::nullopt;
    node.kind = Kind::kThreadPolicy;
    return node;
}

bool is_directory(Kind kind) {
    return kind == Kind::kRoot || kind == Kind::kProcess || kind == Kind::kTasks ||
           kind == Kind::kThread;
}

bool is_writable(Kind kind) {
    return kind == Kind::kProcessPolicy || kind == Kind::kThreadPolicy;
}

mode_t mode_of(Kind kind) {
    if (is_directory(kind)) return S_IFDIR | 0555;
    return S_IFREG | (is_writable(kind) ? 0600 : 0400);
}

std::vector<std::string> fixed_names(Kind directory) {
    switch (directory) {
        case Kind::kProcess:
            return {"mempolicy", "numa_maps", "status", "task"};
        case Kind::kThread:
            return {"mempolicy"};
        default:
            return {};
    }
}

}  // namespace mpol::fs

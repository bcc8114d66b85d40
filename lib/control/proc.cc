// SPDX-License-Identifier: Apache-2.0
#include "control/proc.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <string_view>

#include "control/proc_text.h"

namespace mpol::control {

std::string_view status_field(std::string_view status, std::string_view name) {
    for (size_t at = 0; at < status.size();) {
        const size_t end = std::min(status.find('\n', at), status.size());
        const std::string_view line = status.substr(at, end - at);
        if (line.size() > name.size() && line.starts_with(name) && line[name.size()] == ':') {
            const size_t value = line.find_first_not_of(" \t", name.size() + 1);
            return value == std::string_view::npos ? std::string_view{} : line.substr(value);
        }
        at = end + 1;
    }
    return {};
}

namespace {

constexpr size_t kFileBytesMax = 64 << 10;

template <class Number>
bool parse_number(std::string_view text, Number& ret_number) {
    const auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), ret_number);
    return err == std::errc{} && end != text.data();
}

// The last number of the NSpid line: the id in the innermost namespace.
std::optional<pid_t> innermost(std::string_view status) {
    const std::string_view ids = status_field(status, "NSpid");
    const size_t blank = ids.find_last_of(" \t");
    pid_t pid = 0;
    if (!parse_number(blank == std::string_view::npos ? ids : ids.substr(blank + 1), pid)) {
        return std::nullopt;
    }
    return pid;
}

std::vector<pid_t> numeric_entries(int dir_fd) {
    std::vector<pid_t> found;
    DIR* const dir = dir_fd < 0 ? nullptr : ::fdopendir(dir_fd);
    if (dir == nullptr) {
        if (dir_fd >= 0) ::close(dir_fd);
        return found;
    }
    while (const dirent* entry = ::readdir(dir)) {
        pid_t pid = 0;
        if (parse_number(entry->d_name, pid)) found.push_back(pid);
    }
    ::closedir(dir);
    std::sort(found.begin(), found.end());
    return found;
}

}  // namespace

std::optional<std::string> read_small_file(int proc_fd, const std::string& path) {
    const int fd = ::openat(proc_fd, path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return std::nullopt;
    char text[kFileBytesMax];  // Not a string: most files are short, and nothing is to be zeroed.
    size_t size = 0;
    for (ssize_t got = 1; got > 0 && size < sizeof(text); size += static_cast<size_t>(got)) {
        got = ::read(fd, text + size, sizeof(text) - size);
        if (got < 0) break;
    }
    ::close(fd);
    if (size == 0) return std::nullopt;
    return std::string(text, size);
}

std::optional<TaskIds> read_task_ids(int proc_fd) {
    const auto stat = read_small_file(proc_fd, "stat");
    const auto status = read_small_file(proc_fd, "status");
    if (!stat || !status) return std::nullopt;
    return parse_task_ids(*stat, *status);
}

std::optional<TaskIds> parse_task_ids(std::string_view stat, std::string_view status) {
    TaskIds ids;
    const std::optional<pid_t> inner = innermost(status);
    size_t at = stat.rfind(')');
    if (!inner || at == std::string_view::npos) return std::nullopt;
    ids.inner_pid = *inner;
    // Of a process whose main thread has left the others go on.
    ids.exited = stat.substr(at, 3) == ") Z" && status_field(status, "Threads") == "1";
    for (int field = 2; field < 22 && at != std::string_view::npos; ++field) {
        at = stat.find(' ', at + 1);
    }
    if (at == std::string_view::npos) return std::nullopt;
    if (!parse_number(stat.substr(at + 1), ids.start_time)) return std::nullopt;
    return ids;
}

std::optional<pid_t> inner_tid(int proc_fd, pid_t tid) {
    const auto status = read_small_file(proc_fd, fmt::format("task/{}/status", tid));
    return status ? innermost(*status) : std::nullopt;
}

std::optional<pid_t> outer_tid(int proc_fd, pid_t inner) {
    // Nearly always the same name.
    if (inner_tid(proc_fd, inner) == inner) return inner;
    const int dir_fd = ::openat(proc_fd, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (const pid_t tid : numeric_entries(dir_fd)) {
        if (inner_tid(proc_fd, tid) == inner) return tid;
    }
    return std::nullopt;
}

namespace {

std::optional<pid_t> pid_in_status(pid_t tid, std::string_view field) {
    const auto status = read_small_file(AT_FDCWD, fmt::format("/proc/{}/status", tid));
    pid_t pid = 0;
    if (!status || !parse_number(status_field(*status, field), pid)) return std::nullopt;
    return pid;
}

}  // namespace

std::optional<pid_t> process_of(pid_t tid) {
    return pid_in_status(tid, "Tgid");
}

std::optional<pid_t> parent_of(pid_t pid) {
    return pid_in_status(pid, "PPid");
}

std::optional<pid_t> process_of_pidfd(int pidfd) {
    const auto info = read_small_file(AT_FDCWD, fmt::format("/proc/self/fdinfo/{}", pidfd));
    pid_t pid = 0;
    if (!info || !parse_number(status_field(*info, "Pid"), pid)) return std::nullopt;
    return pid;
}

NodeMask parse_mems_allowed(std::string_view status) {
    NodeMask nodes;
    std::string_view list = status_field(status, "Mems_allowed_list");
    while (!list.empty()) {
        const size_t comma = std::min(list.find(','), list.size());
        const std::string_view item = list.substr(0, comma);
        unsigned first = 0;
        if (!parse_number(item, first)) break;
        unsigned last = first;
        const size_t dash = item.find('-');
        if (dash != std::string_view::npos && !parse_number(item.substr(dash + 1), last)) break;
        for (unsigned node = first; node <= last && node < kMaxNodes; ++node) nodes.set(node);
        list.remove_prefix(std::min(comma + 1, list.size()));
    }
    return nodes;
}

std::optional<NodeMask> mems_allowed(pid_t pid) {
    const auto status = read_small_file(AT_FDCWD, fmt::format("/proc/{}/status", pid));
    if (!status) return std::nullopt;
    return parse_mems_allowed(*status);
}

std::vector<pid_t> all_processes() {
    return numeric_entries(::open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

}  // namespace mpol::control

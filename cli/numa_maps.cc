// SPDX-License-Identifier: Apache-2.0
#include "cli/numa_maps.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "cli/words.h"
#include "policy/modes.h"

namespace mpol::cli {
namespace {

// Above vm.max_map_count of any machine seen; beyond it the rest is left out.
constexpr unsigned kLinesMax = 4'000'000;

bool parse_number(std::string_view text, uint64_t& ret_number) {
    const auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), ret_number);
    return err == std::errc{} && end == text.data() + text.size() && !text.empty();
}

// Bytes of the policy at the start of text. A mode's name may have a blank in it.
size_t policy_size(std::string_view text) {
    size_t name = 0;
    for (const ModeInfo& info : kModes) {
        const std::string_view candidate = info.kernel_name;
        if (candidate.size() <= name || !text.starts_with(candidate)) continue;
        const std::string_view after = text.substr(candidate.size(), 1);
        if (after.empty() || after.find_first_of(" :=") == 0) name = candidate.size();
    }
    return std::min(text.find(' ', name), text.size());
}

void read_field(std::string_view field, NumaMapsLine& line) {
    const size_t equals = field.find('=');
    if (equals == std::string_view::npos) {
        line.is_stack = line.is_stack || field == "stack";
        return;
    }
    uint64_t value = 0;
    if (!parse_number(field.substr(equals + 1), value)) return;
    const std::string_view name = field.substr(0, equals);
    uint64_t node = 0;
    if (name == "kernelpagesize_kB") {
        line.page_bytes = value * 1024;
    } else if (name.starts_with('N') && parse_number(name.substr(1), node) && node < kMaxNodes) {
        line.pages_by_node[static_cast<unsigned>(node)] += value;
    }
}

void add(const NumaMapsLine& line, NumaMaps& maps) {
    PolicyUse& use = maps.by_policy[printable(line.policy)];
    ++use.ranges;
    for (const auto& [node, pages] : line.pages_by_node) {
        use.bytes_by_node[node] += pages * line.page_bytes;
    }
    // Nobody binds the main stack, so its line shows the task's policy.
    if (line.is_stack) maps.task_policy = printable(line.policy);
}

std::string commonest(const NumaMaps& maps) {
    std::string best;
    uint64_t ranges = 0;
    for (const auto& [policy, use] : maps.by_policy) {
        if (use.ranges <= ranges) continue;
        ranges = use.ranges;
        best = policy;
    }
    return best;
}

tl::unexpected<Error> cannot_open(int err, pid_t pid, std::optional<pid_t> tid) {
    if (err == EACCES || err == EPERM) {
        return failed(EACCES,
                      fmt::format("not permitted to read the memory map of process {}", pid),
                      "run as its user or as root");
    }
    if (::access("/proc/self/numa_maps", F_OK) != 0) {
        return failed(ENOTSUP, "this kernel has no NUMA memory policies");
    }
    if (tid) return failed(ESRCH, fmt::format("process {} has no thread {}", pid, *tid));
    return failed(ESRCH, fmt::format("no process {}", pid));
}

}  // namespace

std::optional<NumaMapsLine> parse_numa_maps_line(std::string_view text) {
    while (text.ends_with('\n') || text.ends_with(' ')) text.remove_suffix(1);
    const size_t blank = text.find(' ');
    if (blank == std::string_view::npos) return std::nullopt;
    text.remove_prefix(blank + 1);
    NumaMapsLine line;
    const size_t size = policy_size(text);
    line.policy = text.substr(0, size);
    text.remove_prefix(size);
    while (!text.empty()) {
        const size_t end = std::min(text.find(' '), text.size());
        if (end > 0) read_field(text.substr(0, end), line);
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return line;
}

Result<NumaMaps> read_numa_maps(pid_t pid, std::optional<pid_t> tid) {
    const std::string path = tid ? fmt::format("/proc/{}/task/{}/numa_maps", pid, *tid)
                                 : fmt::format("/proc/{}/numa_maps", pid);
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"),
                                                               std::fclose);
    if (!file) return cannot_open(errno, pid, tid);
    NumaMaps maps;
    char* buffer = nullptr;
    size_t capacity = 0;
    for (unsigned count = 0; count < kLinesMax; ++count) {
        const ssize_t size = ::getline(&buffer, &capacity, file.get());
        if (size < 0) break;
        const auto line = parse_numa_maps_line({buffer, static_cast<size_t>(size)});
        if (line) add(*line, maps);
    }
    std::free(buffer);
    if (maps.by_policy.empty()) {
        return failed(ENODEV, fmt::format("process {} has no memory of its own", pid),
                      "it is a kernel thread, or it has exited");
    }
    if (maps.task_policy.empty()) maps.task_policy = commonest(maps);
    return maps;
}

}  // namespace mpol::cli

// SPDX-License-Identifier: Apache-2.0
#include "cli/numa_maps.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "cli/words.h"
#include "control/numa_maps.h"

namespace mpol::cli {
namespace {

// Above vm.max_map_count of any machine seen; beyond it the rest is left out.
constexpr unsigned kLinesMax = 4'000'000;

void add(const control::NumaMapsLine& line, NumaMaps& maps) {
    PolicyUse& use = maps.by_policy[printable(line.policy)];
    ++use.ranges;
    for (const auto& [node, pages] : line.pages) {
        use.bytes_by_node[node] += pages * line.page_bytes;
    }
    // Nobody binds the main stack, so its line shows the task's policy.
    if (line.rest.find("stack") != std::string::npos) maps.task_policy = printable(line.policy);
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
        const auto line = control::parse_numa_maps_line({buffer, static_cast<size_t>(size)});
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

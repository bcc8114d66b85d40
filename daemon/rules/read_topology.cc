// SPDX-License-Identifier: Apache-2.0
// The machine from /sys/devices/system/node and /sys/devices/virtual/memory_tiering (Linux 6.0 and
// later), a process's place on it from /proc.
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string>

#include "control/attach.h"
#include "control/numa_maps.h"
#include "control/proc.h"
#include "control/proc_text.h"
#include "daemon/rules/topology.h"
#include "policy/parse.h"
#include "task/machine.h"

namespace mpol::rules {
namespace {

// The kernel has no more.
constexpr unsigned kCpusMax = 1U << 16U;

std::string read_or_empty(const std::string& path) {
    return control::read_small_file(AT_FDCWD, path).value_or("");
}

// The CPUs of a list as sysfs and /proc print it: "0-3,8". There may be more than nodes.
std::vector<bool> cpus_of(std::string_view list) {
    std::vector<bool> cpus;
    const char* at = list.data();
    const char* const end = at + list.size();
    while (at < end) {
        unsigned first = 0;
        auto [stop, err] = std::from_chars(at, end, first);
        if (err != std::errc{}) break;
        unsigned last = first;
        if (stop < end && *stop == '-') {
            const auto second = std::from_chars(stop + 1, end, last);
            if (second.ec != std::errc{}) break;
            stop = second.ptr;
        }
        if (last < first || last >= kCpusMax) break;
        if (cpus.size() <= last) cpus.resize(last + 1);
        for (unsigned cpu = first; cpu <= last; ++cpu) cpus[cpu] = true;
        at = stop < end && *stop == ',' ? stop + 1 : end;
    }
    return cpus;
}

bool meet(const std::vector<bool>& a, const std::vector<bool>& b) {
    for (size_t cpu = 0; cpu < std::min(a.size(), b.size()); ++cpu) {
        if (a[cpu] && b[cpu]) return true;
    }
    return false;
}

std::string node_file(unsigned node, std::string_view name) {
    return fmt::format("/sys/devices/system/node/node{}/{}", node, name);
}

// One number for each node that is online, in order.
std::map<unsigned, unsigned> distances_from(unsigned from, const NodeMask& online) {
    std::map<unsigned, unsigned> row;
    const std::string text = read_or_empty(node_file(from, "distance"));
    const char* at = text.data();
    for (unsigned node = online.first(); node < kMaxNodes; node = online.next(node + 1)) {
        while (*at == ' ') ++at;
        unsigned distance = 0;
        const auto [end, err] = std::from_chars(at, text.data() + text.size(), distance);
        if (err != std::errc{}) break;
        row[node] = distance;
        at = end;
    }
    row.emplace(from, 10U);
    return row;
}

// The lower its number, the faster a tier is.
std::vector<NodeMask> memory_tiers() {
    constexpr const char* kFolder = "/sys/devices/virtual/memory_tiering";
    constexpr std::string_view kName = "memory_tier";
    std::map<unsigned, NodeMask> found;
    DIR* const folder = ::opendir(kFolder);
    if (folder == nullptr) return {};
    while (const dirent* entry = ::readdir(folder)) {
        const std::string_view name = entry->d_name;
        unsigned number = 0;
        if (!name.starts_with(kName)) continue;
        const std::string_view digits = name.substr(kName.size());
        if (std::from_chars(digits.data(), digits.data() + digits.size(), number).ec !=
            std::errc{}) {
            continue;
        }
        const std::string list = read_or_empty(fmt::format("{}/{}/nodelist", kFolder, name));
        const auto nodes = parse_kernel_list(list, kMaxNodes);
        if (nodes && !nodes->empty()) found[number] = *nodes;
    }
    ::closedir(folder);
    std::vector<NodeMask> tiers;
    for (const auto& [number, nodes] : found) tiers.push_back(nodes);
    return tiers;
}

}  // namespace

Topology read_topology() {
    Topology topology;
    topology.online = task::node_list("online");
    topology.has_memory = task::node_list("has_memory");
    topology.has_cpu = task::node_list("has_cpu");
    const NodeMask& online = topology.online;
    for (unsigned node = online.first(); node < kMaxNodes; node = online.next(node + 1)) {
        topology.distance[node] = distances_from(node, online);
    }
    const NodeMask& with_cpus = topology.has_cpu;
    for (unsigned node = with_cpus.first(); node < kMaxNodes; node = with_cpus.next(node + 1)) {
        topology.cpus[node] = cpus_of(read_or_empty(node_file(node, "cpulist")));
    }
    topology.tiers = memory_tiers();
    topology.kernel = task::kernel_modes();
    topology.auto_weights = task::auto_weights();
    topology.system_weights = task::system_weights();
    return topology;
}

std::optional<TargetNodes> read_target_nodes(pid_t pid, const Topology& topology) {
    const std::string status = read_or_empty(fmt::format("/proc/{}/status", pid));
    if (status.empty()) return std::nullopt;
    TargetNodes target;
    target.allowed = control::parse_mems_allowed(status) & topology.has_memory;
    const auto cpus = cpus_of(control::status_field(status, "Cpus_allowed_list"));
    for (const auto& [node, of_node] : topology.cpus) {
        // Without sysfs there is one node, and every CPU is on it.
        if (of_node.empty() || meet(cpus, of_node)) target.near.set(node);
    }
    return target;
}

std::optional<NodeMask> read_policy_nodes(pid_t pid) {
    if (const auto target = control::Target::attach(pid, control::Access::kRead)) {
        const control::ProcessState state = target->process();
        if (state.effective) return state.effective;
    }
    const auto policy = control::kernel_task_policy(pid, pid);
    if (!policy || policy->nodes.empty()) return std::nullopt;
    return policy->nodes;
}

}  // namespace mpol::rules

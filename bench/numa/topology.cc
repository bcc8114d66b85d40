// SPDX-License-Identifier: Apache-2.0
#include "numa/topology.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/utsname.h>

#include <algorithm>
#include <ctime>
#include <fstream>
#include <sstream>

#include "policy/parse.h"
#include "sys/sys.h"
#include "task/machine.h"

namespace mpol::bench {
namespace {

constexpr const char* kNodes = "/sys/devices/system/node/node";

std::string first_line(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

// "model name : X" and the like, of the first line that begins so.
std::string value_of(const char* path, const std::string& name) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        const size_t colon = line.find(':');
        if (line.starts_with(name) && colon != std::string::npos && colon + 2 <= line.size()) {
            return line.substr(colon + 2);
        }
    }
    return {};
}

// "Node 0 MemTotal:  1024 kB"
uint64_t node_bytes(unsigned node, const std::string& name) {
    std::ifstream file(kNodes + std::to_string(node) + "/meminfo");
    for (std::string line; std::getline(file, line);) {
        const size_t at = line.find(name + ":");
        if (at != std::string::npos) {
            return std::strtoull(line.c_str() + at + name.size() + 1, nullptr, 10) << 10;
        }
    }
    return 0;
}

std::vector<unsigned> distances_of(unsigned node) {
    std::istringstream line(first_line(kNodes + std::to_string(node) + "/distance"));
    std::vector<unsigned> out;
    for (unsigned distance = 0; line >> distance;) out.push_back(distance);
    return out;
}

std::map<unsigned, std::vector<unsigned>> usable_cpus() {
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    ::sched_getaffinity(0, sizeof(allowed), &allowed);
    std::map<unsigned, std::vector<unsigned>> out;
    const NodeMask nodes = task::node_list("has_cpu");
    for (unsigned node = nodes.first(); node < kMaxNodes; node = nodes.next(node + 1)) {
        // Lists of processors are written as lists of nodes are.
        const auto cpus =
            parse_kernel_list(first_line(kNodes + std::to_string(node) + "/cpulist"), kMaxNodes);
        for (unsigned cpu = 0; cpu < kMaxNodes && cpu < CPU_SETSIZE; ++cpu) {
            const bool here = cpus ? cpus->test(cpu) : true;
            if (here && CPU_ISSET(cpu, &allowed)) out[node].push_back(cpu);
        }
    }
    return out;
}

uint64_t last_level_cache() {
    uint64_t largest = 0;
    for (int index = 0; index < 5; ++index) {
        const std::string text =
            first_line(fmt::format("/sys/devices/system/cpu/cpu0/cache/index{}/size", index));
        largest = std::max<uint64_t>(largest, std::strtoull(text.c_str(), nullptr, 10) << 10);
    }
    return largest;
}

}  // namespace

Topology read_topology() {
    Topology out;
    out.cpus = usable_cpus();
    NodeMask allowed;
    out.memory_nodes = task::node_list("has_memory");
    if (sys::get_mems_allowed(allowed) == 0) out.memory_nodes = out.memory_nodes & allowed;
    for (unsigned node = out.memory_nodes.first(); node < kMaxNodes;
         node = out.memory_nodes.next(node + 1)) {
        out.memory_bytes[node] = node_bytes(node, "MemTotal");
        out.free_bytes[node] = node_bytes(node, "MemFree");
        out.distances[node] = distances_of(node);
    }
    utsname name{};
    ::uname(&name);
    out.kernel = name.release;
    out.host = name.nodename;
    out.processor = value_of("/proc/cpuinfo", "model name");
    out.is_virtual = value_of("/proc/cpuinfo", "flags").find("hypervisor") != std::string::npos;
    out.huge_pages = first_line("/sys/kernel/mm/transparent_hugepage/enabled");
    out.governor = first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
    out.last_level_cache_bytes = last_level_cache();
    return out;
}

std::vector<unsigned> Topology::all_cpus() const {
    std::vector<unsigned> out;
    for (const auto& [node, list] : cpus) out.insert(out.end(), list.begin(), list.end());
    return out;
}

std::string Topology::one_line() const {
    const unsigned nodes = memory_nodes.weight();
    return fmt::format("{}: {}, {} CPU{}, {} memory node{}, Linux {}{}, {:%Y-%m-%d}", host,
                       processor, all_cpus().size(), all_cpus().size() == 1 ? "" : "s", nodes,
                       nodes == 1 ? "" : "s", kernel, is_virtual ? " (virtual machine)" : "",
                       fmt::gmtime(std::time(nullptr)));
}

}  // namespace mpol::bench

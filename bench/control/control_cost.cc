// SPDX-License-Identifier: Apache-2.0
// What it takes to change, or to read, the policy of another program. Prints one JSON object with
// the raw samples; bench/control runs it over many sizes, in rounds. All times are nanoseconds.
//
//   control-cost rewrite RESERVED_MIB FILLED_MIB THREADS COUNT   from write to first page under it
//   control-cost restart FILLED_MIB COUNT                        the same, by numactl
//   control-cost cpuset FILLED_MIB COUNT                         by its cgroup's cpuset.mems
//   control-cost migratepages FILLED_MIB COUNT                   migratepages(8) alone
//   control-cost processes PROCESSES COUNT                       one writer, many targets
//   control-cost read FILLED_MIB COUNT                           from outside
//
// Exits with 77 and the reason on stderr where this machine can't.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <array>
#include <cstring>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "child.h"
#include "control/faulting.h"
#include "sys/sys.h"
#include "task/machine.h"

namespace mpol::bench {
namespace {

constexpr int kSkipped = 77;
constexpr int kWaitMs = 10'000;
constexpr size_t kMib = size_t{1} << 20;

using Samples = std::vector<uint64_t>;

[[noreturn]] void skip(const std::string& why) {
    fmt::print(stderr, "skipped: {}\n", why);
    std::exit(kSkipped);
}

std::vector<std::string> faulting(const Shape& shape) {
    return {"/proc/self/exe", "faulting", std::to_string(shape.reserved),
            std::to_string(shape.filled), std::to_string(shape.threads)};
}

// The modes in turn, both on one node: pages differ in nothing but whose policy they are under.
Policy policy_of(size_t turn) {
    return policy_on_node_0(turn % 2 == 0 ? Mode::kInterleave : Mode::kBind);
}
Wanted mode_of(size_t turn) {
    return {static_cast<int32_t>(policy_of(turn).mode), -1};
}

// Nanoseconds from just before change() until the child has met such a page.
uint64_t time_change(Child& child, const Wanted& wanted, const std::function<void()>& change) {
    child.tell(wanted);
    char going = 0;
    if (!child.hear(going)) fail("the child has gone");
    const uint64_t begin = sys::monotonic_ns();
    change();
    uint64_t end = 0;
    if (!child.hear(end)) fail("the child has gone");
    return end - begin;
}

void publish(control::Target& target, const Policy& policy, uint64_t& ret_generation) {
    const auto generation = target.publish_process(policy, kWaitMs);
    if (!generation) fail(generation.error().what.c_str());
    ret_generation = *generation;
}

int rewrite(const Shape& shape, size_t count) {
    Child child(faulting(shape), MPOL_PRELOAD_LIBRARY);
    control::Target target = child.attach();
    Samples latency, applied;
    uint64_t generation = 0;
    for (size_t i = 0; i <= count; ++i) {
        const uint64_t ns =
            time_change(child, mode_of(i), [&] { publish(target, policy_of(i), generation); });
        if (!target.wait_process(generation, kWaitMs)) fail("a policy was not applied");
        if (i == 0) continue;  // The first policy starts the helper thread.
        latency.push_back(ns);
        applied.push_back(target.counter(MPOL_CTL_APPLY_NS_LAST));
    }
    fmt::print(
        "{{\"regions\": {}, \"reserved_bytes\": {}, \"latency_ns\": {}, \"apply_ns\": {}}}\n",
        target.regions().size(), target.counter(MPOL_CTL_RESERVED_BYTES), latency, applied);
    return 0;
}

// Killed, started under the other policy, and as far as before: with its memory filled.
int restart(size_t filled, size_t count) {
    Samples latency;
    for (size_t i = 0; i < count; ++i) {
        std::vector<std::string> command = {
            "numactl", policy_of(i).mode == Mode::kBind ? "--membind=0" : "--interleave=0"};
        const auto program = faulting({.filled = filled});
        command.insert(command.end(), program.begin(), program.end());
        char self[4096]{};
        if (::readlink("/proc/self/exe", self, sizeof(self) - 1) < 0) fail("no name of my own");
        command[2] = self;
        const uint64_t begin = sys::monotonic_ns();
        Child child(command, nullptr);
        time_change(child, mode_of(i), [] {});
        latency.push_back(sys::monotonic_ns() - begin);
    }
    fmt::print("{{\"latency_ns\": {}}}\n", latency);
    return 0;
}

void write_file(const std::string& path, const std::string& text) {
    std::ofstream file(path);
    file << text << std::flush;
    if (!file) skip(fmt::format("{} can't be written", path));
}

// The first two nodes with memory.
std::array<unsigned, 2> two_nodes() {
    const NodeMask nodes = task::node_list("has_memory");
    if (nodes.weight() < 2) skip("pages can't go elsewhere: this machine has one memory node");
    return {nodes.first(), nodes.next(nodes.first() + 1)};
}

int cpuset(size_t filled, size_t count) {
    const auto nodes = two_nodes();
    const std::string group = fmt::format("/sys/fs/cgroup/mpol-bench-{}", ::getpid());
    if (::mkdir(group.c_str(), 0755) != 0) skip("no cgroup can be made: needs root and cgroup v2");
    Samples latency;
    {
        Child child(faulting({.filled = filled}), nullptr);
        write_file(group + "/cpuset.mems", std::to_string(nodes[0]));
        write_file(group + "/cgroup.procs", std::to_string(child.pid()));
        for (size_t i = 1; i <= count; ++i) {
            const unsigned node = nodes[i % 2];
            latency.push_back(time_change(child, {-1, static_cast<int32_t>(node)}, [&] {
                write_file(group + "/cpuset.mems", std::to_string(node));
            }));
        }
    }
    ::rmdir(group.c_str());
    fmt::print("{{\"latency_ns\": {}}}\n", latency);
    return 0;
}

// It moves the pages that exist and changes no policy: its own time is all there is.
int migratepages(size_t filled, size_t count) {
    const auto nodes = two_nodes();
    Child child(faulting({.filled = filled}), nullptr);
    Samples latency;
    for (size_t i = 0; i < count; ++i) {
        const std::string command =
            fmt::format("migratepages {} {} {}", child.pid(), nodes[i % 2], nodes[1 - i % 2]);
        const uint64_t begin = sys::monotonic_ns();
        if (std::system(command.c_str()) != 0) skip("migratepages fails (Debian package numactl)");
        latency.push_back(sys::monotonic_ns() - begin);
    }
    fmt::print("{{\"latency_ns\": {}}}\n", latency);
    return 0;
}

void raise_descriptor_limit() {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

// A thread in each, so that each has a helper: they sleep, and nothing else would act for them.
int processes(size_t number, size_t count) {
    raise_descriptor_limit();
    std::vector<std::unique_ptr<Child>> children;
    std::vector<control::Target> targets;
    for (size_t i = 0; i < number; ++i) {
        children.push_back(std::make_unique<Child>(faulting({.threads = 1}), MPOL_PRELOAD_LIBRARY));
        targets.push_back(children.back()->attach());
    }
    Samples published, in_force;
    std::vector<uint64_t> generations(number);
    for (size_t round = 0; round <= count; ++round) {
        const uint64_t begin = sys::monotonic_ns();
        for (size_t i = 0; i < number; ++i) publish(targets[i], policy_of(round), generations[i]);
        const uint64_t written = sys::monotonic_ns();
        for (size_t i = 0; i < number; ++i) {
            if (!targets[i].wait_process(generations[i], kWaitMs)) fail("a policy was not applied");
        }
        if (round == 0) continue;
        published.push_back(written - begin);
        in_force.push_back(sys::monotonic_ns() - begin);
    }
    fmt::print("{{\"publish_ns\": {}, \"in_force_ns\": {}}}\n", published, in_force);
    return 0;
}

uint64_t time_reads(size_t times, const std::function<void()>& read) {
    const uint64_t begin = sys::monotonic_ns();
    for (size_t i = 0; i < times; ++i) read();
    return (sys::monotonic_ns() - begin) / times;
}

void read_whole(const std::string& path) {
    std::array<char, 65536> buffer{};
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) skip(fmt::format("{} can't be read", path));
    while (::read(fd, buffer.data(), buffer.size()) > 0) {
    }
    ::close(fd);
}

// Means of many: one read is too short for the clock.
int read(size_t filled, size_t count) {
    constexpr size_t kShort = 1'000;
    Child child(faulting({.filled = filled}), MPOL_PRELOAD_LIBRARY);
    control::Target target = child.attach();
    const std::string path = fmt::format("/proc/{}/numa_maps", child.pid());
    Samples segment, numa_maps, self;
    for (size_t i = 0; i < count; ++i) {
        segment.push_back(time_reads(kShort, [&] {
            if (!target.process().asked.readable) fail("the policy is not readable");
        }));
        numa_maps.push_back(time_reads(1, [&] { read_whole(path); }));
        self.push_back(time_reads(kShort, [] {
            int mode = 0;
            NodeMask nodes;
            if (sys::get_mempolicy(mode, nodes) != 0) skip("get_mempolicy is refused");
        }));
    }
    fmt::print("{{\"segment_ns\": {}, \"numa_maps_ns\": {}, \"get_mempolicy_self_ns\": {}}}\n",
               segment, numa_maps, self);
    return 0;
}

int usage() {
    fmt::print(stderr,
               "usage: control-cost rewrite RESERVED_MIB FILLED_MIB THREADS COUNT | "
               "restart|cpuset|migratepages|read FILLED_MIB COUNT | processes PROCESSES COUNT\n");
    return 2;
}

}  // namespace
}  // namespace mpol::bench

int main(int argc, char** argv) {
    using namespace mpol::bench;
    const auto is = [&](const char* verb, int numbers) {
        return argc == 2 + numbers && std::strcmp(argv[1], verb) == 0;
    };
    const auto number = [&](int index) { return std::strtoul(argv[index], nullptr, 10); };
    if (is("faulting", 3)) {
        return run_faulting({number(2), number(3), static_cast<unsigned>(number(4))});
    }
    if (is("rewrite", 4)) {
        return rewrite({number(2) * kMib, number(3) * kMib, static_cast<unsigned>(number(4))},
                       number(5));
    }
    if (is("processes", 2)) return processes(number(2), number(3));
    if (is("restart", 2)) return restart(number(2) * kMib, number(3));
    if (is("cpuset", 2)) return cpuset(number(2) * kMib, number(3));
    if (is("migratepages", 2)) return migratepages(number(2) * kMib, number(3));
    if (is("read", 2)) return read(number(2) * kMib, number(3));
    return usage();
}

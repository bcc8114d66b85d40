// SPDX-License-Identifier: Apache-2.0
// What limits a process from outside: cpuset, seccomp filter, number of mappings, memory cgroup.
#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <optional>

#include "cli/doctor.h"
#include "cli/program.h"
#include "cli/target.h"
#include "cli/words.h"
#include "control/proc.h"
#include "control/unpublished.h"

namespace mpol::cli {
namespace {

constexpr uint64_t kAuxSecure = 23;  // AT_SECURE of getauxval(3)
constexpr uint64_t kNearlyPercent = 90;

std::string read_file(pid_t pid, std::string_view name) {
    return control::read_small_file(AT_FDCWD, fmt::format("/proc/{}/{}", pid, name)).value_or("");
}

std::optional<uint64_t> read_number(const std::string& path) {
    const std::string text = control::read_small_file(AT_FDCWD, path).value_or("");
    uint64_t number = 0;
    const auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), number);
    return err == std::errc{} && end != text.data() ? std::optional(number) : std::nullopt;
}

bool nearly(uint64_t used, uint64_t limit) {
    return used >= limit / 100 * kNearlyPercent;
}

// Lines of a file that may be long.
template <class Line>
void for_each_line(pid_t pid, std::string_view name, Line line) {
    std::ifstream file(fmt::format("/proc/{}/{}", pid, name));
    for (std::string text; std::getline(file, text);) line(text);
}

void examine_state(pid_t pid, Findings& findings) {
    const char state = state_of(pid);
    if (state != 'T' && state != 't') return;
    findings.push_back({Health::kProblem, "state",
                        state == 'T' ? "it is stopped by a signal" : "a debugger has stopped it",
                        state == 'T' ? fmt::format("kill -CONT {}", pid) : "let it run"});
}

void examine_cpuset(pid_t pid, const Machine& machine, Findings& findings) {
    const auto allowed = control::mems_allowed(pid);
    if (!allowed || machine.has_memory.subset_of(*allowed)) return;
    findings.push_back(
        {Health::kNote, "cpuset",
         fmt::format("its cpuset allows nodes {} of {}", nodes_words(*allowed & machine.has_memory),
                     nodes_words(machine.has_memory)),
         "cpuset.mems of its cgroup, for the others"});
}

// Which calls a filter refuses can't be read from outside; examine_controlled tells what it
// refused.
void examine_seccomp(pid_t pid, Findings& findings) {
    const std::string status = read_file(pid, "status");
    if (control::status_field(status, "Seccomp") != "2") return;
    findings.push_back({Health::kNote, "seccomp", "it runs under a seccomp filter",
                        "its filter has to allow mbind, set_mempolicy, get_mempolicy and, for "
                        "migration, move_pages"});
}

void examine_mappings(pid_t pid, Findings& findings) {
    const auto limit = read_number("/proc/sys/vm/max_map_count");
    uint64_t mappings = 0;
    for_each_line(pid, "maps", [&](const std::string&) { ++mappings; });
    if (!limit || !nearly(mappings, *limit)) return;
    findings.push_back(
        {Health::kProblem, "mappings",
         fmt::format("it has {} mappings of the {} that it may have", mappings, *limit),
         "raise vm.max_map_count (sysctl)"});
}

// Of one hierarchy.
void examine_memory_group(const std::string& path, const std::string& mount, const char* limit_name,
                          const char* used_name, Findings& findings) {
    const std::string folder = mount + path + "/";
    const auto limit = read_number(folder + limit_name);
    const auto used = read_number(folder + used_name);
    if (!limit || !used || !nearly(*used, *limit)) return;
    findings.push_back({Health::kProblem, "memory",
                        fmt::format("its cgroup uses {} of the {} that it may use",
                                    bytes_words(*used), bytes_words(*limit)),
                        fmt::format("raise {} of {}", limit_name, in_quotes(path))});
}

// cgroups(7), version 2 and, beside it or instead, version 1.
void examine_memory_limit(pid_t pid, Findings& findings) {
    const std::string cgroups = read_file(pid, "cgroup");
    const auto path_behind = [&](std::string_view key) {
        const size_t at = cgroups.find(key);
        if (at == std::string::npos) return std::string();
        const size_t begin = at + key.size();
        return cgroups.substr(begin, cgroups.find('\n', begin) - begin);
    };
    if (const std::string path = path_behind("0::"); !path.empty()) {
        examine_memory_group(path, "/sys/fs/cgroup", "memory.max", "memory.current", findings);
    }
    if (const std::string path = path_behind(":memory:"); !path.empty()) {
        examine_memory_group(path, "/sys/fs/cgroup/memory", "memory.limit_in_bytes",
                             "memory.usage_in_bytes", findings);
    }
}

bool is_privileged(pid_t pid) {
    const std::string vector = read_file(pid, "auxv");
    for (size_t at = 0; at + 2 * sizeof(uint64_t) <= vector.size(); at += 2 * sizeof(uint64_t)) {
        uint64_t pair[2];
        std::copy_n(vector.data() + at, sizeof(pair), reinterpret_cast<char*>(pair));
        if (pair[0] == kAuxSecure) return pair[1] != 0;
    }
    return false;
}

bool preload_is_asked_for(pid_t pid) {
    const std::string wanted = "libmpol-preload";
    if (read_file(pid, "environ").find(wanted) != std::string::npos) return true;
    const auto everywhere = control::read_small_file(AT_FDCWD, "/etc/ld.so.preload");
    return everywhere && everywhere->find(wanted) != std::string::npos;
}

bool preload_is_mapped(pid_t pid) {
    bool mapped = false;
    for_each_line(pid, "maps", [&](const std::string& line) {
        mapped |= line.find("libmpol-preload") != std::string::npos;
    });
    return mapped;
}

// A kernel thread has no image.
bool is_kernel_thread(pid_t pid) {
    return read_file(pid, "maps").empty();
}

Finding preload_problem(std::string what, std::string remedy) {
    return {Health::kProblem, "preload", std::move(what), std::move(remedy)};
}

std::string_view call_name(uint64_t step) {
    switch (step) {
        case MPOL_CTL_SEGMENT_MEMFD_CREATE:
            return "memfd_create";
        case MPOL_CTL_SEGMENT_FTRUNCATE:
            return "ftruncate";
        case MPOL_CTL_SEGMENT_FALLOCATE:
            return "fallocate";
        case MPOL_CTL_SEGMENT_ADD_SEALS:
            return "fcntl(F_ADD_SEALS)";
        case MPOL_CTL_SEGMENT_PWRITE:
            return "pwrite";
        case MPOL_CTL_SEGMENT_MMAP:
            return "mmap";
        default:
            return "a call that this mpol does not know";
    }
}

std::string segment_remedy(uint64_t step, int err) {
    switch (err) {
        case EMFILE:
        case ENFILE:
            return "raise its limit of open files (ulimit -n, fs.file-max); start it anew";
        case ENOMEM:
        case ENOSPC:
            return "give it more memory (memory.max of its cgroup, ulimit -v); start it anew";
        default:
            return fmt::format("its seccomp filter has to allow {}; start it anew",
                               call_name(step));
    }
}

Finding why_without_segment(pid_t pid) {
    const auto error = control::why_unpublished(pid);
    if (!error) {
        return preload_problem(
            "the preloaded library is there, and its control segment is not: it was forked and "
            "has not called the allocator yet, or the program has unmapped it",
            "start it anew, unless it is about to allocate");
    }
    const uint64_t step = error->detail[0];
    return preload_problem(
        fmt::format("the preloaded library is there, and its control segment is not: {} failed: {}",
                    call_name(step), errno_text(error->err)),
        segment_remedy(step, error->err));
}

Finding why_uncontrolled(pid_t pid) {
    if (is_kernel_thread(pid)) return preload_problem("it is a thread of the kernel's", {});
    const std::string note = coverage_note(fmt::format("/proc/{}/exe", pid));
    if (preload_is_mapped(pid)) return why_without_segment(pid);
    // Of a running program, that its file raises privilege is told by the kernel.
    if (is_privileged(pid)) {
        return preload_problem(
            "it was started with raised privilege, where the loader ignores "
            "LD_PRELOAD",
            "start it as the user that it runs as, or name the library in "
            "/etc/ld.so.preload");
    }
    if (!note.empty()) return preload_problem("it " + note, "numactl, before it starts");
    if (preload_is_asked_for(pid)) {
        return preload_problem("LD_PRELOAD names the library, and the loader has not loaded it",
                               "what the program printed at its start; does the file exist in "
                               "its mount namespace?");
    }
    return preload_problem("it was not started under mpol", "mpol run -- COMMAND");
}

}  // namespace

void examine_surroundings(pid_t pid, const Machine& machine, Findings& findings) {
    examine_state(pid, findings);
    examine_cpuset(pid, machine, findings);
    examine_seccomp(pid, findings);
    examine_mappings(pid, findings);
    examine_memory_limit(pid, findings);
}

void examine_uncontrolled(pid_t pid, Findings& findings) {
    findings.push_back(why_uncontrolled(pid));
}

}  // namespace mpol::cli

// SPDX-License-Identifier: Apache-2.0
// The kernel and its settings, as far as they decide where pages go. Kernel's
// Documentation/admin-guide/sysctl/{kernel,vm}.rst and mm/transhuge.rst.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <charconv>

#include "cli/doctor.h"
#include "cli/words.h"
#include "control/proc.h"
#include "policy/modes.h"
#include "sys/sys.h"

namespace mpol::cli {
namespace {

// Without the newline; empty: this kernel has no such file.
std::string setting(const std::string& path) {
    std::string text = control::read_small_file(AT_FDCWD, path).value_or("");
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return printable(text);
}

void examine_nodes(const Machine& machine, Findings& findings) {
    const unsigned count = machine.has_memory.weight();
    if (count > 1) {
        findings.push_back(
            {Health::kGood, "nodes", "memory is on nodes " + nodes_words(machine.has_memory), {}});
        return;
    }
    findings.push_back({Health::kNote,
                        "nodes",
                        "only node " + nodes_words(machine.has_memory) +
                            " has memory: every "
                            "policy places pages there",
                        {}});
}

void examine_modes(const Machine& machine, Findings& findings) {
    std::string known;
    for (const ModeInfo& info : kModes) {
        Policy policy;
        policy.mode = info.mode;
        const Result<void> supported = check_supported(policy, machine);
        if (supported) {
            known += (known.empty() ? "" : ", ") + std::string(info.kernel_name);
            continue;
        }
        const Error& error = supported.error();
        findings.push_back({Health::kProblem, "modes", error.message,
                            error.err == ENOSYS ? "a kernel with CONFIG_NUMA"
                                                : "a newer kernel, or another mode"});
        if (error.err == ENOSYS) return;
    }
    findings.push_back({Health::kGood, "modes", "this kernel knows " + known, {}});
}

// The call with no range changes nothing: 0, or that there is no such call.
void examine_home_node(Findings& findings) {
    if (sys::set_mempolicy_home_node(nullptr, 0, 0, 0) != -ENOSYS) return;
    findings.push_back({Health::kNote, "modes",
                        "this kernel has no home nodes for bind and prefer (many)",
                        "Linux 5.17 or later"});
}

// mm/mempolicy.c, mpol_misplaced: pages under a policy stay unless it has the flag balancing.
void examine_balancing(Findings& findings) {
    const std::string balancing = setting("/proc/sys/kernel/numa_balancing");
    if (balancing.empty() || balancing == "0") return;
    findings.push_back({Health::kNote, "numa_balancing",
                        balancing == "1"
                            ? "the kernel's NUMA balancing moves pages that no policy governs, "
                              "or one with the flag balancing"
                            : "the kernel promotes pages between memory tiers",
                        "sysctl kernel.numa_balancing=0, if pages are to stay"});
}

void examine_demotion(Findings& findings) {
    const std::string demotion = setting("/sys/kernel/mm/numa/demotion_enabled");
    if (demotion != "true" && demotion != "1") return;
    findings.push_back({Health::kNote, "demotion",
                        "under memory pressure the kernel demotes pages to slower nodes, "
                        "whatever their policy says",
                        "echo false > /sys/kernel/mm/numa/demotion_enabled"});
}

void examine_huge_pages(Findings& findings) {
    const std::string enabled = setting("/sys/kernel/mm/transparent_hugepage/enabled");
    if (enabled.find("[always]") == std::string::npos) return;
    findings.push_back({Health::kNote,
                        "thp",
                        "transparent huge pages are on for all memory: interleaving goes by "
                        "2 MiB where they are used",
                        {}});
}

void examine_overcommit(Findings& findings) {
    if (setting("/proc/sys/vm/overcommit_memory") != "2") return;
    findings.push_back({Health::kNote,
                        "overcommit",
                        "vm.overcommit_memory is 2: what jemalloc commits is charged at once; "
                        "what it only reserves is not",
                        {}});
}

}  // namespace

void examine_machine(const Machine& machine, Findings& findings) {
    examine_nodes(machine, findings);
    examine_modes(machine, findings);
    examine_home_node(findings);
    examine_balancing(findings);
    examine_demotion(findings);
    examine_huge_pages(findings);
    examine_overcommit(findings);
    if (::geteuid() != 0) {
        findings.push_back({Health::kNote, "permissions",
                            "processes of other users, and those that are not dumpable, can't be "
                            "read or set",
                            "run mpol as root, or with CAP_SYS_PTRACE"});
    }
}

}  // namespace mpol::cli

// SPDX-License-Identifier: Apache-2.0
// A process under control, as its segment tells.
#include <fmt/format.h>

#include <cerrno>

#include "cli/doctor.h"
#include "cli/words.h"
#include "policy/contextualise.h"
#include "policy/text.h"

namespace mpol::cli {
namespace {

// EPERM and ENOSYS of a policy call come from a seccomp filter; ENOMEM, of too many mappings.
std::string_view policy_call_remedy(int err) {
    switch (err) {
        case EPERM:
        case EACCES:
        case ENOSYS:
            return "its seccomp filter has to allow mbind, set_mempolicy and get_mempolicy";
        case ENOMEM:
            return "raise vm.max_map_count, or give it more memory";
        case EINVAL:
            return "choose nodes that have memory and that its cpuset allows (mpol get)";
        case EIO:
            return "pages that can't be moved stay where they are";
        default:
            return "mpol set it again";
    }
}

std::string_view remedy(const control::ErrorState& error) {
    switch (error.code) {
        case MPOL_CTL_ERROR_MBIND:
        case MPOL_CTL_ERROR_SET_MEMPOLICY:
        case MPOL_CTL_ERROR_PROBE:
            return policy_call_remedy(error.err);
        case MPOL_CTL_ERROR_HOME_NODE:
            return error.err == ENOSYS ? "Linux 5.17 or later" : policy_call_remedy(error.err);
        case MPOL_CTL_ERROR_REGION:
        case MPOL_CTL_ERROR_COMMIT:
            return "raise its limit of address space (ulimit -v), vm.max_map_count or its memory";
        case MPOL_CTL_ERROR_SEGMENT:
            return "its seccomp filter has to allow memfd_create; start it anew";
        case MPOL_CTL_ERROR_HELPER:
            return "raise its limit of tasks (ulimit -u, pids.max); until then busy threads apply";
        case MPOL_CTL_ERROR_SCOPE:
            return "fewer threads with policies of their own; this one follows the process's";
        case MPOL_CTL_ERROR_SLOTS:
            return "none: threads beyond the slots follow the process's policy";
        case MPOL_CTL_ERROR_LATCH:
            return "mpol set it again; find out who writes into its segment";
        case MPOL_CTL_ERROR_SIGNAL:
            return "MPOL_SIGNAL=NUMBER of a signal that the program leaves alone";
        case MPOL_CTL_ERROR_MAPPINGS:
        case MPOL_CTL_ERROR_WEIGHTS:
            return "raise vm.max_map_count, or weights that are fewer and smaller";
        case MPOL_CTL_ERROR_NONE:
            break;
    }
    return "";
}

void examine_errors(const ProcessView& view, Findings& findings) {
    for (const control::ErrorState& error : view.errors) {
        findings.push_back({Health::kProblem, "errors",
                            fmt::format("{}: {}, {}, last at {}", error_sentence(error.code),
                                        errno_text(error.err), count_words(error.count, "time"),
                                        local_time(error.last_ns)),
                            std::string(remedy(error))});
    }
}

// whose: "process", "thread 4250"
void examine_published(std::string_view whose, const control::Published& asked, uint64_t applied,
                       int err, Findings& findings) {
    if (!asked.readable) {
        findings.push_back({Health::kProblem, "policy",
                            fmt::format("{}: its policy in the segment is no policy", whose),
                            "mpol set it again"});
        return;
    }
    if (applied < asked.generation) {
        findings.push_back({Health::kProblem, "policy",
                            fmt::format("{}: generation {} is not in force yet, {} is", whose,
                                        asked.generation, applied),
                            "it applies what was asked for at its next allocation"});
    } else if (err != 0) {
        findings.push_back({Health::kProblem, "policy",
                            fmt::format("{}: {} was refused: {}", whose, policy_text(asked.policy),
                                        errno_text(err)),
                            std::string(policy_call_remedy(err))});
    }
}

// What it names and does not get.
void examine_nodes(std::string_view whose, const control::Published& asked, const NodeMask& allowed,
                   const NodeMask& has_memory, Findings& findings) {
    if (!asked.set || (asked.policy.flags & kRelativeNodes) != 0) return;
    const NodeMask gone = asked.policy.nodes - has_memory;
    if (!gone.empty()) {
        findings.push_back(
            {Health::kNote, "policy",
             fmt::format("{}: {} names nodes that have no memory now: {}", whose,
                         policy_text(asked.policy), nodes_words(gone)),
             fmt::format("write online to /sys/devices/system/node/node{}/memory*/state, or choose "
                         "other nodes",
                         gone.first())});
    }
    if (!(asked.policy.nodes - gone).subset_of(allowed)) {
        findings.push_back({Health::kNote, "policy",
                            fmt::format("{}: {} names nodes that it may not use; {} are allowed",
                                        whose, policy_text(asked.policy), nodes_words(allowed)),
                            "cpuset.mems of its cgroup, or other nodes"});
    }
}

void examine_policies(const ProcessView& view, const NodeMask& has_memory, Findings& findings) {
    examine_published("process", view.state.asked, view.state.applied, view.state.applied_errno,
                      findings);
    examine_nodes("process", view.state.asked, view.allowed, has_memory, findings);
    std::vector<pid_t> behind;
    for (const ThreadView& thread : view.threads) {
        if (thread.state.asked.set || !thread.state.asked.readable) {
            const std::string whose = fmt::format("thread {}", thread.tid);
            examine_published(whose, thread.state.asked, thread.state.applied,
                              thread.state.applied_errno, findings);
            examine_nodes(whose, thread.state.asked, view.allowed, has_memory, findings);
        } else if (thread.state.process_seen < view.state.asked.generation) {
            behind.push_back(thread.tid);
        }
    }
    if (behind.empty()) return;
    findings.push_back({Health::kNote, "policy",
                        fmt::format("{} that {} not allocated since the last rewrite: {}; stacks "
                                    "and direct mappings of theirs follow the one before",
                                    count_words(behind.size(), "thread"),
                                    behind.size() == 1 ? "has" : "have", ids_words(behind)),
                        "MPOL_SIGNAL=NUMBER at the program's start makes them look at once"});
}

}  // namespace

void examine_controlled(const ProcessView& view, const Machine& machine, Findings& findings) {
    const size_t before = findings.size();
    if ((view.state.status & MPOL_CTL_STATUS_NO_NUMA) != 0) {
        findings.push_back({Health::kProblem, "preload",
                            "the kernel refuses mbind(2) to it: nothing can be applied",
                            "its seccomp filter has to allow mbind, set_mempolicy and "
                            "get_mempolicy, or a kernel with CONFIG_NUMA"});
    }
    examine_policies(view, machine.has_memory, findings);
    if (view.slotless != 0) {
        findings.push_back(
            {Health::kNote,
             "threads",
             fmt::format("{} without a slot of their own follow the process's policy",
                         count_words(view.slotless, "thread")),
             {}});
    }
    if ((view.state.status & MPOL_CTL_STATUS_HELPER) == 0 && view.threads.size() > 1) {
        findings.push_back({Health::kNote, "preload",
                            "no helper thread runs: what is asked for is applied when a thread "
                            "allocates",
                            "it starts with the first policy, unless MPOL_HELPER=0"});
    }
    examine_errors(view, findings);
    if (findings.size() > before) return;
    findings.push_back(
        {Health::kGood, "preload", "under control; all that was asked for is in force", {}});
}

}  // namespace mpol::cli

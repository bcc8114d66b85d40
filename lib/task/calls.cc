// SPDX-License-Identifier: Apache-2.0
#include "task/calls.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "control/numa_maps.h"
#include "control/proc.h"
#include "policy/contextualise.h"
#include "sys/sys.h"
#include "task/machine.h"

namespace mpol::task {

using control::Access;
using control::Target;

namespace {

// The target's cpuset nodes that have memory: what the kernel contextualises against.
std::optional<NodeMask> allowed_nodes(pid_t pid) {
    const auto mems = control::mems_allowed(pid);
    if (!mems) return std::nullopt;
    return *mems & node_list("has_memory");
}

// A pid can be reused between looking a pidfd up and attaching; not while its process lives.
control::Result<Target> attach(const TaskName& task, Access access) {
    auto target = Target::attach(task.pid, access);
    if (task.pidfd >= 0 && control::process_of_pidfd(task.pidfd) != task.pid) {
        return tl::unexpected(control::fail(ESRCH, "the process of the pidfd has exited"));
    }
    return target;
}

bool keeps_user_nodes(const Policy& policy) {
    return policy.flags != 0;
}

bool takes_nodes(const Policy& policy) {
    return policy.mode != Mode::kDefault && policy.mode != Mode::kLocal;
}

// A policy that mpol has set, as the kernel would report it for a task that it was set on.
Reported report(const Policy& policy, const NodeMask& effective) {
    if (!takes_nodes(policy)) return {policy.mode_word(), {}, {}};
    return {policy.mode_word(), keeps_user_nodes(policy) ? policy.nodes : effective, effective};
}

// What a policy means to the process as its cpuset is now. Where the cpuset has moved away from
// under it, what was asked for still stands.
NodeMask contextualised(const Policy& policy, pid_t pid) {
    const auto allowed = allowed_nodes(pid);
    NodeMask effective = policy.nodes;
    if (allowed) (void)contextualise(policy, *allowed, effective);
    return effective;
}

// The target has told of a change of its cpuset, or (a process without a helper) not yet noticed
// one.
bool may_have_rebound(const Target& target, pid_t pid) {
    return target.counter(MPOL_CTL_REBINDS) != 0 ||
           target.process().allowed != control::mems_allowed(pid);
}

// Rebinding forgets (mm/mempolicy.c mpol_rebind_nodemask): once the cpuset has changed, only the
// kernel knows the nodes of a policy that the task has.
NodeMask rebound(const Policy& policy, const TaskName& task) {
    if (follows_allowed_nodes(policy.mode)) {
        const auto own = control::kernel_task_policy(task.pid, task.tid);
        if (own && own->mode == policy.mode) return own->nodes;
    }
    return contextualised(policy, task.pid);
}

NodeMask effective_of_thread(const Target& target, const control::ThreadState& thread,
                             const TaskName& task) {
    const Policy& policy = thread.asked.policy;
    const bool acted = thread.task_applied == thread.asked.generation;
    return acted && may_have_rebound(target, task.pid) ? rebound(policy, task)
                                                       : contextualised(policy, task.pid);
}

// acted: the task's own kernel policy is the process's.
NodeMask effective_of_process(const control::ProcessState& process, bool acted,
                              const TaskName& task) {
    const bool in_force = process.effective && process.applied == process.asked.generation;
    const bool current = process.allowed == control::mems_allowed(task.pid);
    if (in_force && current) return *process.effective;
    return in_force && acted ? rebound(process.asked.policy, task)
                             : contextualised(process.asked.policy, task.pid);
}

}  // namespace

int read_caller_policy(int mode_word, const unsigned long* nodemask, unsigned long maxnode,
                       CallerPolicy& ret_policy) {
    const int err = sys::check_mode_and_mask(mode_word, nodemask, maxnode);
    if (err != 0) return err;
    ret_policy = {.mode_word = mode_word, .nodes = {}, .max_node = maxnode};
    // The kernel has read the mask just now: bits 0..maxnode-2.
    if (nodemask == nullptr || maxnode <= 1) {
        ret_policy.max_node = 0;
        return 0;
    }
    constexpr unsigned kWordBits = 8 * sizeof(unsigned long);
    const unsigned long bits = std::min<unsigned long>(maxnode - 1, kMaxNodes);
    for (unsigned node = 0; node < bits; ++node) {
        if ((nodemask[node / kWordBits] >> (node % kWordBits) & 1) != 0) ret_policy.nodes.set(node);
    }
    return 0;
}

int find_task(pid_t tid, TaskName& ret_task) {
    if (tid <= 0) return -ESRCH;
    const auto pid = control::process_of(tid);
    if (!pid) return -ESRCH;
    ret_task = {*pid, tid, -1};
    return 0;
}

int set_policy(const TaskName& task, const CallerPolicy& asked, int timeout_ms) {
    Policy policy;
    int err = make_policy(asked.mode_word, asked.nodes, kernel_modes(), policy);
    if (err != 0) return err;
    auto target = attach(task, Access::kWrite);
    if (!target) return -target.error().err;
    const auto allowed = allowed_nodes(task.pid);
    if (!allowed) return -ESRCH;
    NodeMask effective;
    err = contextualise(policy, *allowed, effective);
    if (err != 0) return err;
    const auto slot = target->slot_of(task.tid);
    if (!slot) return -slot.error().err;
    const auto published = target->publish_thread(*slot, policy, timeout_ms);
    if (!published) return -published.error().err;
    if (!target->wait_thread(*slot, *published, timeout_ms)) return -ETIMEDOUT;
    const auto state = target->thread(*slot);
    return state ? -state->applied_errno : 0;
}

int get_policy(const TaskName& task, Reported& ret_policy) {
    const auto target = attach(task, Access::kRead);
    if (!target) return -target.error().err;
    const auto slot = target->slot_of(task.tid);
    if (!slot && slot.error().err == ESRCH) return -ESRCH;
    const auto thread = slot ? target->thread(*slot) : std::nullopt;
    if (thread && thread->asked.set) {
        ret_policy = report(thread->asked.policy, effective_of_thread(*target, *thread, task));
        return 0;
    }
    const control::ProcessState process = target->process();
    if (process.asked.set) {
        const bool acted = thread && thread->process_seen == process.asked.generation;
        ret_policy = report(process.asked.policy, effective_of_process(process, acted, task));
        return 0;
    }
    // Nothing was set from outside: the program's own, of which the kernel shows the effective
    // nodes.
    const auto own = control::kernel_task_policy(task.pid, task.tid);
    if (!own) return -ESRCH;
    ret_policy = {own->mode_word(), own->nodes, own->nodes};
    return 0;
}

int get_allowed(const TaskName& task, NodeMask& ret_nodes) {
    const auto target = attach(task, Access::kRead);
    if (!target) return -target.error().err;
    const auto allowed = control::mems_allowed(task.pid);
    if (!allowed) return -ESRCH;
    ret_nodes = *allowed;
    return 0;
}

int ask(const TaskName& task, const control::Request& request, int timeout_ms,
        control::Answer& ret_answer) {
    auto target = attach(task, Access::kWrite);
    if (!target) return -target.error().err;
    const auto answer = target->ask(request, timeout_ms);
    if (!answer) return -answer.error().err;
    ret_answer = *answer;
    return answer->result;
}

}  // namespace mpol::task

// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>

#include "control/numa_maps.h"
#include "control/proc.h"
#include "fs/facts.h"
#include "fs/process.h"
#include "policy/text.h"

namespace mpol::fs {
namespace {

using control::Access;
using control::Target;

// Above vm.max_map_count of any machine seen; beyond it pages are left out.
constexpr unsigned kLinesMax = 4'000'000;

tl::unexpected<int> failed(int err) {
    return tl::unexpected(err);
}

Outcome<std::string> process_text(const Target& target, pid_t tid) {
    const control::ProcessState state = target.process();
    if (!state.asked.readable) return failed(EIO);
    if (state.asked.set) {
        const auto allowed = allowed_nodes(target.pid());
        if (!allowed) return failed(allowed.error());
        return process_policy_text(state, *allowed) + '\n';
    }
    // Nothing was set from outside: the program's own, of which the kernel shows effective nodes.
    const auto own = control::kernel_task_policy(target.pid(), tid);
    if (own) return kernel_text(*own, own->nodes) + '\n';
    if (!has_thread(target.pid(), tid)) return failed(ESRCH);
    return kernel_text(Policy{}, {}) + '\n';
}

Outcome<std::string> thread_text(const Target& target, pid_t tid) {
    const auto slot = target.slot_of(tid);
    if (!slot && slot.error().err == ESRCH) return failed(ESRCH);
    const auto thread = slot ? target.thread(*slot) : std::nullopt;
    if (thread && !thread->asked.readable) return failed(EIO);
    if (!thread || !thread->asked.set) return process_text(target, tid);
    const auto allowed = allowed_nodes(target.pid());
    if (!allowed) return failed(allowed.error());
    return effective_text(thread->asked.policy, *allowed) + '\n';
}

Outcome<ProcessFacts> gather(const Target& target) {
    const auto allowed = allowed_nodes(target.pid());
    if (!allowed) return failed(allowed.error());
    ProcessFacts facts;
    facts.pid = target.pid();
    facts.comm = control::read_small_file(AT_FDCWD, fmt::format("/proc/{}/comm", target.pid()))
                     .value_or("\n");
    if (facts.comm.ends_with('\n')) facts.comm.pop_back();
    facts.allowed = *allowed;
    facts.state = target.process();
    facts.threads = target.threads();
    for (control::ThreadState& thread : facts.threads) thread.tid = target.outer_tid(thread.tid);
    facts.errors = target.errors();
    for (unsigned i = 0; i < MPOL_CTL_COUNTERS; ++i) {
        facts.counters[i] = target.counter(static_cast<mpol_ctl_counter>(i));
    }
    return facts;
}

Outcome<std::string> numa_maps(const Target& target) {
    const auto facts = gather(target);
    if (!facts) return failed(facts.error());
    std::vector<RegionUse> uses = region_uses(target.regions());
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(
        std::fopen(fmt::format("/proc/{}/numa_maps", target.pid()).c_str(), "re"), std::fclose);
    char* text = nullptr;
    size_t capacity = 0;
    for (unsigned count = 0; file && count < kLinesMax; ++count) {
        const ssize_t size = ::getline(&text, &capacity, file.get());
        if (size <= 0) break;
        const auto line = control::parse_numa_maps_line({text, static_cast<size_t>(size)});
        if (line) count_line(*line, uses);
    }
    std::free(text);
    return numa_maps_text(*facts, uses);
}

std::vector<std::string> names_of(const std::vector<pid_t>& ids) {
    std::vector<std::string> names;
    for (const pid_t id : ids) names.push_back(std::to_string(id));
    return names;
}

}  // namespace

Outcome<Task> look_up(const Caller& caller, const Node& node) {
    const auto task = check(caller, node.pid);
    if (!task) return failed(task.error());
    const auto target = Target::attach(node.pid, Access::kRead);
    if (!target) return failed(errno_of(target.error()));
    if (node.tid != 0 && !has_thread(node.pid, node.tid)) return failed(ESRCH);
    return task;
}

Outcome<std::vector<std::string>> list(const Caller& caller, const Node& node) {
    if (node.kind == Kind::kRoot) {
        std::vector<pid_t> seen = control::attachable_processes();
        std::erase_if(seen, [&](pid_t pid) { return !check(caller, pid); });
        return names_of(seen);
    }
    const auto task = look_up(caller, node);
    if (!task) return failed(task.error());
    if (node.kind != Kind::kTasks) return fixed_names(node.kind);
    return names_of(threads_of(node.pid));
}

Outcome<std::string> read_text(const Caller& caller, const Node& node) {
    const auto target = attach(caller, node.pid, Access::kRead);
    if (!target) return failed(target.error());
    switch (node.kind) {
        case Kind::kProcessPolicy:
            return process_text(*target, node.pid);
        case Kind::kThreadPolicy:
            return thread_text(*target, node.tid);
        case Kind::kNumaMaps:
            return numa_maps(*target);
        case Kind::kStatus:
            return gather(*target).map(status_text);
        default:
            return failed(EISDIR);
    }
}

}  // namespace mpol::fs

// SPDX-License-Identifier: Apache-2.0
#include "cli/target.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <charconv>

#include "cli/words.h"
#include "control/proc.h"
#include "policy/contextualise.h"

namespace mpol::cli {
namespace {

bool parse_id(std::string_view text, pid_t& ret_id) {
    const auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), ret_id);
    return err == std::errc{} && end == text.data() + text.size() && ret_id > 0;
}

// What the regions are bound to; while they are not, the kernel's task policy decides.
std::optional<NodeMask> effective_of(const control::ProcessState& state, const NodeMask& allowed) {
    NodeMask nodes;
    if (state.effective || !state.inherited) return state.effective;
    if (contextualise(*state.inherited, allowed, nodes) != 0) return std::nullopt;
    return nodes;
}

KindView kind_view(const control::KindState& state, const NodeMask& allowed) {
    KindView kind{state, {}};
    if (state.asked.set) (void)contextualise(state.asked.policy, allowed, kind.effective);
    return kind;
}

}  // namespace

Result<TargetName> parse_target(std::string_view text) {
    TargetName name;
    const size_t slash = text.find('/');
    bool good = parse_id(text.substr(0, slash), name.pid);
    if (slash != std::string_view::npos) {
        pid_t tid = 0;
        good = good && parse_id(text.substr(slash + 1), tid);
        name.tid = tid;
    }
    if (good) return name;
    return misused(fmt::format("{} is no process (PID) and no thread (PID/TID)", in_quotes(text)),
                   "mpol ls");
}

std::string comm_of(pid_t pid, std::optional<pid_t> tid) {
    const std::string path =
        tid ? fmt::format("/proc/{}/task/{}/comm", pid, *tid) : fmt::format("/proc/{}/comm", pid);
    std::string comm = control::read_small_file(AT_FDCWD, path).value_or("");
    if (!comm.empty() && comm.back() == '\n') comm.pop_back();
    return comm;
}

std::vector<pid_t> threads_behind(const control::Target& target, uint64_t generation) {
    std::vector<pid_t> behind;
    for (const control::ThreadState& thread : target.threads()) {
        if (thread.asked.set || thread.process_seen >= generation) continue;
        behind.push_back(target.outer_tid(thread.tid));
    }
    return behind;
}

char state_of(pid_t pid) {
    const auto stat = control::read_small_file(AT_FDCWD, fmt::format("/proc/{}/stat", pid));
    const size_t at = stat ? stat->rfind(") ") : std::string::npos;
    return at == std::string::npos || at + 2 >= stat->size() ? '\0' : (*stat)[at + 2];
}

ProcessView view_of(const control::Target& target, const NodeMask& has_memory) {
    ProcessView view;
    view.pid = target.pid();
    view.comm = comm_of(view.pid);
    view.state = target.process();
    view.allowed = control::mems_allowed(view.pid).value_or(view.state.allowed) & has_memory;
    view.effective = effective_of(view.state, view.allowed);
    for (const control::ThreadState& state : target.threads()) {
        ThreadView thread{target.outer_tid(state.tid), {}, state, {}};
        thread.comm = comm_of(view.pid, thread.tid);
        // A policy that means nothing here leaves the mask empty.
        if (state.asked.set)
            (void)contextualise(state.asked.policy, view.allowed, thread.effective);
        for (const auto& kind : state.kinds) {
            if (kind) thread.kinds.push_back(kind_view(*kind, view.allowed));
        }
        view.threads.push_back(std::move(thread));
    }
    view.slotless = target.slotless_threads();
    for (const control::KindState& state : target.kinds()) {
        view.kinds.push_back(kind_view(state, view.allowed));
    }
    view.regions = target.regions();
    view.errors = target.errors();
    return view;
}

}  // namespace mpol::cli

// SPDX-License-Identifier: Apache-2.0
// What somebody asked for.
#include <fmt/format.h>

#include <cerrno>
#include <utility>

#include "daemon/keeper.h"
#include "policy/text.h"
#include "sys/sys.h"

namespace mpol::daemon {

control::Result<Kept*> Keeper::unfolded(pid_t pid) {
    Kept* const kept = find(pid);
    if (kept != nullptr && unfold(*kept)) return kept;
    return tl::unexpected(control::fail(ESRCH, fmt::format("process {} is not kept", pid)));
}

control::Result<std::vector<Applied>> Keeper::apply(pid_t pid, const std::string& by) {
    const Clocks begin = clocks();
    const auto kept = unfolded(pid);
    if (!kept) return tl::unexpected(kept.error());
    const bool undone = (*kept)->target->undone();
    const auto again = undone ? (*kept)->target->redo(0) : control::Result<void>();
    std::vector<Applied> rows;
    if (again) {
        if (undone) (*kept)->note.clear();
        rows = bring(**kept, begin.monotonic_ns, by);
    }
    fold(**kept);
    if (!again) return tl::unexpected(again.error());
    spend(**kept, begin);
    return rows;
}

control::Result<std::vector<Undone>> Keeper::undo(pid_t pid, const std::string& by) {
    const auto found = unfolded(pid);
    if (!found) return tl::unexpected(found.error());
    Kept* const kept = *found;
    const auto given = kept->target->undo(0);
    std::vector<Undone> all;
    if (given) {
        for (const control::GivenBack& one : *given) all.push_back(record_undo(*kept, one, by));
        kept->note = "undone by " + by;
        kept->policy.clear();
    }
    fold(*kept);
    if (!given) return tl::unexpected(given.error());
    return all;
}

Undone Keeper::record_undo(const Kept& kept, const control::GivenBack& given,
                           const std::string& by) {
    Undone undone;
    undone.pid = kept.pid;
    undone.tid = given.scope ? kept.target->outer_tid(given.scope->tid) : 0;
    undone.comm = kept.comm;
    undone.done = given.holder == control::Holder::kDaemon;
    if (undone.done && given.had_policy) undone.policy = policy_text(given.before);
    if (!undone.done) undone.why = "set by hand since";
    LogEntry entry = entry_of(kept, undone.done ? "undo" : "leave");
    entry.tid = undone.tid;
    entry.from = undone.done && !given.scope ? kept.policy : "";
    entry.to = undone.policy;
    entry.why = undone.why;
    entry.by = by;
    log_.add(std::move(entry));
    return undone;
}

}  // namespace mpol::daemon

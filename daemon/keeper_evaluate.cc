// SPDX-License-Identifier: Apache-2.0
// What is done to a process, and what is told of it.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "daemon/keeper.h"
#include "policy/text.h"
#include "sys/sys.h"

namespace mpol::daemon {
namespace {

// When a published policy is looked at whether it is in force: after 1 ms, then after twice as
// long, until about a second has passed.
constexpr uint64_t kFirstLookNs = 1'000'000;
constexpr uint64_t kLastLookNs = 1'000'000'000;
// Changes whose latency is found out; those beyond are logged without.
constexpr size_t kPendingMax = 16384;

const char* event_of(Deed deed) {
    return deed == Deed::kSet ? "apply" : "give back";
}

}  // namespace

LogEntry Keeper::entry_of(const Kept& kept, std::string event) const {
    LogEntry entry;
    entry.event = std::move(event);
    entry.pid = kept.pid;
    entry.uid = kept.uid;
    entry.comm = kept.comm;
    entry.by = "rule";
    if (kept.rule) entry.rule = *kept.rule;
    return entry;
}

// True: an operator has taken the daemon's policies back, and it stays so.
bool Keeper::respect_undo(Kept& kept) {
    if (!kept.target->undone()) return false;
    kept.note = "undone by request";
    // Whoever asked may have died over it.
    (void)kept.target->undo(0);
    return true;
}

void Keeper::evaluate(Kept& kept, uint64_t since_ns) {
    const uint64_t begin_ns = sys::monotonic_ns();
    kept.queued = false;
    if (kept.renewed) renew(kept);
    // Else its end, or its next knock, will come.
    if (!kept.target || !kept.target->unfold())
        return kept.share.spend(begin_ns, sys::monotonic_ns());
    kept.busy = 0;
    kept.changes_by_itself = false;
    if (!respect_undo(kept)) {
        const auto set = book_.rules();
        const auto wanted = wanted_of(kept.pid, *set, topology_, rules::local_moment());
        if (wanted) {
            const Enforced done = enforce(*kept.target, *wanted);
            record(kept, *wanted, done, since_ns);
        }
    }
    kept.target->fold();
    // Now that it has its policy; it may have moved since it was followed.
    if (machine_ != nullptr) machine_->follow(kept.pid);
    spend(kept, begin_ns);
}

void Keeper::note(Kept& kept, const Wanted& wanted, const Enforced& done) {
    std::string said;
    if (!wanted.problem.empty()) {
        said = "degraded: " + wanted.problem;
    } else if (!done.problem.empty()) {
        said = done.problem;
    } else if (done.left_alone > 0) {
        said = "set by somebody else since";
    }
    if (said == kept.note) return;
    const bool better = said.empty();
    LogEntry entry = entry_of(kept, better                   ? "restore"
                                    : wanted.problem.empty() ? "leave"
                                                             : "degrade");
    entry.why = better ? "no more: " + kept.note : said;
    kept.note = std::move(said);
    log_.add(std::move(entry));
}

void Keeper::record(Kept& kept, const Wanted& wanted, const Enforced& done, uint64_t since_ns) {
    kept.comm = wanted.comm;
    // What is given back was given by the rule from before.
    const auto rule_before = std::exchange(kept.rule, wanted.rule);
    kept.policy.clear();
    for (const WantedScope& scope : wanted.scopes) {
        if (!scope.thread) kept.policy = scope.text;
    }
    const bool has_threads = std::any_of(wanted.scopes.begin(), wanted.scopes.end(),
                                         [](const auto& one) { return one.thread.has_value(); });
    kept.changes_by_itself = wanted.changes_by_itself || (deaf_to_threads_ && has_threads);
    if (done.again) kept.busy = done.changes.empty() ? kept.busy + 1 : 1;
    for (const Change& change : done.changes) {
        LogEntry entry = entry_of(kept, event_of(change.deed));
        entry.tid = change.tid;
        entry.from = change.from;
        entry.to = change.to;
        if (change.deed == Deed::kGivenBack) {
            entry.rule = rule_before ? std::optional(*rule_before) : std::nullopt;
            entry.why = wanted.problem.empty() ? "the rule does not hold any more" : wanted.problem;
        }
        if (change.deed == Deed::kGivenBack || pending_.size() >= kPendingMax) {
            log_.add(std::move(entry));
            continue;
        }
        entry.time_ns = sys::realtime_ns();
        pending_.push_back({std::move(entry), change.scope, change.generation, since_ns});
        pending_pause_ns_ = kFirstLookNs;
        pending_timer_.set_by_ns(sys::monotonic_ns() + kFirstLookNs);
    }
    note(kept, wanted, done);
}

// False: it is to be looked at again.
bool Keeper::settle(Pending& one, const Kept* kept, uint64_t now_ns, bool last_look) {
    const bool there = kept != nullptr && kept->target;
    const bool applied = there && kept->target->in_force(one.scope, one.generation);
    if (applied) one.entry.latency_us = (now_ns - one.since_ns) / 1000;
    if (there && !applied && !last_look && now_ns - one.since_ns < kLastLookNs) return false;
    if (!applied) {
        one.entry.why = there && !last_look
                            ? "not taken up within a second"
                            : "it ended, or has another program, before it took it up";
    }
    log_.add(std::move(one.entry));
    return true;
}

void Keeper::settle_all_of(const Kept& kept) {
    const uint64_t now_ns = sys::monotonic_ns();
    std::erase_if(pending_, [&](Pending& one) {
        return one.entry.pid == kept.pid && settle(one, &kept, now_ns, true);
    });
}

void Keeper::check_pending() {
    const uint64_t now_ns = sys::monotonic_ns();
    std::erase_if(pending_,
                  [&](Pending& one) { return settle(one, find(one.entry.pid), now_ns, false); });
    if (pending_.empty()) return;
    pending_pause_ns_ = std::min(pending_pause_ns_ * 4, kLastLookNs);
    pending_timer_.set_at_ns(now_ns + pending_pause_ns_);
}

control::Result<std::vector<Undone>> Keeper::undo(pid_t pid, const std::string& by) {
    Kept* const kept = find(pid);
    if (kept == nullptr || !kept->target) {
        return tl::unexpected(control::fail(ESRCH, fmt::format("process {} is not kept", pid)));
    }
    if (const auto unfolded = kept->target->unfold(); !unfolded) {
        return tl::unexpected(unfolded.error());
    }
    const auto given = kept->target->undo(0);
    std::vector<Undone> all;
    if (given) {
        for (const control::GivenBack& one : *given) all.push_back(record_undo(*kept, one, by));
        kept->note = "undone by " + by;
        kept->policy.clear();
    }
    kept->target->fold();
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

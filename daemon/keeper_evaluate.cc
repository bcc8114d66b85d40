// SPDX-License-Identifier: Apache-2.0
// What is done to a process, and what is told of it.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "daemon/keeper.h"
#include "daemon/turn.h"
#include "policy/text.h"
#include "sys/sys.h"

namespace mpol::daemon {
namespace {

// When a published policy is looked at whether it is in force: after 1 ms, then whenever four times
// as long has passed, and after a second for the last time.
constexpr uint64_t kFirstLookNs = 1'000'000;
constexpr uint64_t kLastLookNs = 1'000'000'000;
constexpr uint64_t kLooksApart = 4;
// Changes whose latency is found out; those beyond are logged without.
constexpr size_t kPendingMax = 16384;

constexpr const char* kByRule = "rule";

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
    entry.by = kByRule;
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

// False: its end, or its next knock, will come.
bool Keeper::unfold(Kept& kept) {
    if (kept.renewed) renew(kept);
    if (!kept.target) return false;
    const auto unfolded = kept.target->unfold();
    if (unfolded) return true;
    if (unfolded.error().err == ENODEV) renew(kept);  // It has put it elsewhere.
    return kept.target && kept.target->unfold();
}

void Keeper::fold(Kept& kept) {
    using Folded = control::Target::Folded;
    kept.target->fold(kept.keeps_descriptor ? Folded::kOneDescriptor : Folded::kNone);
}

void Keeper::evaluate(Kept& kept, uint64_t since_ns) {
    const Clocks begin = clocks();
    kept.queued = false;
    if (!unfold(kept)) return kept.share.spend(begin, clocks());
    if (!respect_undo(kept)) (void)bring(kept, since_ns, kByRule);
    fold(kept);
    // Now that it has its policy; it may have moved since it was followed.
    if (machine_ != nullptr) machine_->follow(kept.pid);
    spend(kept, begin);
}

// What has changed, and what could not be done. Precondition: unfolded.
std::vector<Applied> Keeper::bring(Kept& kept, uint64_t since_ns, const std::string& by) {
    kept.busy = 0;
    kept.changes_by_itself = false;
    const auto set = book_.rules();
    const auto wanted = wanted_of(kept.pid, *set, topology_, rules::local_moment());
    if (!wanted) return {};  // Its end will be told.
    const Enforced done = enforce(*kept.target, *wanted, kept.inherited);
    remember_handed_on(kept, *wanted, done);
    record(kept, *wanted, done, since_ns, by);
    return rows_of(kept.pid, *wanted, done);
}

void Keeper::remember_handed_on(Kept& kept, const Wanted& wanted, const Enforced& done) {
    const auto change = std::find_if(done.changes.begin(), done.changes.end(),
                                     [](const Change& one) { return !one.scope; });
    const bool changed = change != done.changes.end();
    std::optional<HandedOn>& hands_on = kept.hands_on;
    // Set by us, and set by us before: what was before that is the same. Nothing has to be read.
    if (changed && change->deed == Deed::kSet && hands_on && hands_on->generation != 0 &&
        change->generation == hands_on->generation + 1) {
        for (const WantedScope& scope : wanted.scopes) {
            if (!scope.thread) hands_on->given = scope.policy;
        }
        hands_on->generation = change->generation;
    } else if (changed || !hands_on || done.left_alone > 0) {
        hands_on = handed_on_by(*kept.target, kept.inherited, hands_on);
    }
}

void Keeper::note(Kept& kept, const Wanted& wanted, const Enforced& done) {
    std::string said = shortfall(wanted, done);
    if (said == kept.note) return;
    const bool better = said.empty();
    LogEntry entry = entry_of(kept, better                   ? "restore"
                                    : wanted.problem.empty() ? "leave"
                                                             : "degrade");
    entry.why = better ? "no more: " + kept.note : said;
    kept.note = std::move(said);
    log_.add(std::move(entry));
}

void Keeper::record(Kept& kept, const Wanted& wanted, const Enforced& done, uint64_t since_ns,
                    const std::string& by) {
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
        entry.by = by;
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
        wait_for({std::move(entry), change.scope, change.generation, since_ns},
                 sys::monotonic_ns() + kFirstLookNs);
    }
    note(kept, wanted, done);
}

// False: it is to be looked at again.
bool Keeper::settle(Pending& one, Kept* kept, uint64_t now_ns, bool last_look) {
    const bool there = kept != nullptr && kept->target;
    const bool applied = there && kept->target->in_force(one.scope, one.generation);
    if (applied) one.entry.latency_us = (now_ns - one.since_ns) / 1000;
    if (there && !applied && !last_look && now_ns - one.since_ns < kLastLookNs) return false;
    if (!applied) {
        one.entry.why = there && !last_look
                            ? "not taken up within a second"
                            : "it ended, or has another program, before it was seen to take it up";
    }
    log_.add(std::move(one.entry));
    return true;
}

void Keeper::settle_all_of(Kept& kept) {
    const uint64_t now_ns = sys::monotonic_ns();
    for (auto at = pending_.begin(); at != pending_.end();) {
        const bool settled =
            at->second.entry.pid == kept.pid && settle(at->second, &kept, now_ns, true);
        at = settled ? pending_.erase(at) : std::next(at);
    }
}

void Keeper::wait_for(Pending change, uint64_t look_ns) {
    pending_.emplace(look_ns, std::move(change));
    pending_timer_.set_by_ns(look_ns);
}

void Keeper::check_pending() {
    do_what_is_due(pending_, sys::monotonic_ns, [this](auto due) {
        Pending& one = due.mapped();
        const uint64_t now_ns = sys::monotonic_ns();
        if (settle(one, find(one.entry.pid), now_ns, false)) return;
        const uint64_t passed_ns = now_ns - one.since_ns;
        due.key() = one.since_ns + std::min(passed_ns * kLooksApart, kLastLookNs);
        pending_.insert(std::move(due));
    });
    if (!pending_.empty()) pending_timer_.set_at_ns(pending_.begin()->first);
}

}  // namespace mpol::daemon

// SPDX-License-Identifier: Apache-2.0
// mpol set and mpol unset: check against the target's allowed nodes, publish, wait, tell. Nothing
// is published unless everything was checked.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "cli/kind.h"
#include "cli/machine.h"
#include "cli/migrate.h"
#include "cli/target.h"
#include "cli/verbs.h"
#include "cli/words.h"
#include "control/proc.h"
#include "daemon/enforce.h"
#include "policy/weights.h"
#include "sys/sys.h"

namespace mpol::cli {
namespace {

using control::Target;

// Fills in what the policy means for the target, or says why it means nothing.
Result<void> check(const Arguments& arguments, size_t offset, Change& change) {
    const Machine machine = read_machine();
    const NodeMask mems = control::mems_allowed(change.pid).value_or(machine.has_memory);
    change.allowed = mems & machine.has_memory;
    const Result<Policy> policy = read_policy_after(arguments.policy, offset, machine,
                                                    change.allowed, arguments.allow_absent);
    if (!policy) return tl::unexpected(policy.error());
    if (change.kind && change.kind->kind != MPOL_CTL_KIND_LARGE && has_own_weights(*policy)) {
        return misused(fmt::format("{} takes no weights of its own", kind_name(change.kind->kind)),
                       "the machine's weights: weighted-interleave:nodes");
    }
    const Result<NodeMask> effective =
        effective_nodes(*policy, change.allowed, fmt::format("process {}", change.pid));
    if (!effective) return tl::unexpected(effective.error());
    change.policy = *policy;
    change.effective = *effective;
    if ((policy->flags & kRelativeNodes) != 0) return {};  // Ordinals: no node is named.
    change.absent = policy->nodes - machine.has_memory;
    change.not_allowed = (policy->nodes & machine.has_memory) - change.allowed;
    return {};
}

control::Result<uint64_t> publish(Target& target, std::optional<control::ThreadSlot> slot,
                                  const Change& change, int timeout_ms) {
    if (slot && change.kind) {
        return target.publish_own_kind(*slot, *change.kind, change.policy, timeout_ms);
    }
    if (slot) return target.publish_thread(*slot, change.policy, timeout_ms);
    if (change.kind)
        return target.publish_kind(*change.kind, change.policy, change.everywhere, timeout_ms);
    return change.everywhere ? target.publish_everywhere(change.policy, timeout_ms)
                             : target.publish_process(change.policy, timeout_ms);
}

tl::unexpected<Error> exited(const Change& change) {
    return failed(ESRCH, change.tid ? fmt::format("thread {} of process {} has exited", *change.tid,
                                                  change.pid)
                                    : fmt::format("process {} has exited", change.pid));
}

// The target tried and was refused; what was in force before stays.
tl::unexpected<Error> refused(const Change& change, int err) {
    const std::string whom =
        change.tid ? fmt::format("thread {}", *change.tid) : fmt::format("process {}", change.pid);
    const std::string what = whom + " " + daemon::refusal_words(err);
    if (err == EPERM) return failed(EPERM, what, "a seccomp filter in the target refuses mbind(2)");
    if (err == EINVAL) return failed(ENOTSUP, what, "its kernel does not know this mode or flag");
    return failed(err, what, fmt::format("mpol get {} shows its errors", change.pid));
}

tl::unexpected<Error> follows_process(const Change& change) {
    return failed(ENODATA,
                  fmt::format("thread {} of process {} has no policy of its own that its large "
                              "allocations could differ from",
                              *change.tid, change.pid),
                  fmt::format("mpol set {}/{} POLICY first", change.pid, *change.tid));
}

// Threads that publishing for the process left where they were.
void note_threads(const Target& target, Change& change) {
    for (const control::ThreadState& thread : target.threads()) {
        if (thread.asked.set) change.kept.push_back(target.outer_tid(thread.tid));
    }
    change.behind = threads_behind(target, change.generation);
}

Result<void> settle_process(const Target& target, Change& change) {
    if (!change.applied && !target.alive()) return exited(change);
    const control::ProcessState state = target.process();
    change.superseded = state.asked.readable && state.asked.generation > change.generation;
    change.helper = (state.status & MPOL_CTL_STATUS_HELPER) != 0;
    if (!change.policy) change.fallback = state.inherited;
    if (!change.applied) return {};
    if (state.applied_errno != 0 && !change.superseded) return refused(change, state.applied_errno);
    if (state.effective && change.policy && !change.superseded) change.effective = *state.effective;
    note_threads(target, change);
    return {};
}

Result<void> settle_thread(const Target& target, control::ThreadSlot slot, Change& change) {
    const auto thread = target.thread(slot);
    if (!thread || target.outer_tid(thread->tid) != *change.tid) return exited(change);
    const auto* const own = change.kind ? &thread->kinds[change.kind->kind] : nullptr;
    const bool has_own = own != nullptr && own->has_value();
    const control::Published& asked = has_own ? (*own)->asked : thread->asked;
    const int err = has_own ? (*own)->applied_errno : thread->applied_errno;
    change.superseded = asked.readable && asked.generation > change.generation;
    change.helper = (target.process().status & MPOL_CTL_STATUS_HELPER) != 0;
    if (change.applied && err != 0 && !change.superseded) return refused(change, err);
    return {};
}

Result<void> settle_kind(const Target& target, Change& change) {
    if (!change.applied && !target.alive()) return exited(change);
    change.helper = (target.process().status & MPOL_CTL_STATUS_HELPER) != 0;
    for (const control::KindState& state : target.kinds()) {
        if (state.kind != change.kind->kind) continue;
        change.superseded = state.asked.readable && state.asked.generation > change.generation;
        const bool failed_to = change.applied && state.applied_errno != 0 && !change.superseded;
        if (failed_to && state.applied_errno == ERANGE) {
            return failed(ERANGE,
                          fmt::format("process {} could not apply the policy: its thread caches "
                                      "serve {}",
                                      change.pid, size_text(change.kind->threshold)),
                          "name a threshold above tcache_max in its MALLOC_CONF");
        }
        if (failed_to) return refused(change, state.applied_errno);
    }
    return {};
}

bool wait_for(const Target& target, std::optional<control::ThreadSlot> slot, const Change& change) {
    if (slot && change.kind) {
        return target.wait_own_kind(*slot, change.kind->kind, change.generation, change.timeout_ms);
    }
    if (slot) return target.wait_thread(*slot, change.generation, change.timeout_ms);
    if (change.kind) {
        return target.wait_kind(change.kind->kind, change.generation, change.timeout_ms);
    }
    return target.wait_process(change.generation, change.timeout_ms);
}

Result<Answer> publish_and_wait(Target& target, std::optional<control::ThreadSlot> slot,
                                Change change) {
    const uint64_t begin = sys::monotonic_ns();
    // Writers hold the lock for microseconds: one that is stuck should make nobody wait longer.
    const auto generation = publish(target, slot, change, kTimeoutMsDefault);
    if (!generation && generation.error().err == ENODATA) return follows_process(change);
    if (!generation) return failed(generation.error());
    change.generation = *generation;
    if (!change.waited) return Answer{Status::kOk, change};
    change.applied = wait_for(target, slot, change);
    change.latency_ns = sys::monotonic_ns() - begin;
    // Threads that run make an allocator call within a moment; those that don't are named.
    if (change.applied && !slot && !change.kind) {
        (void)target.wait_all_threads(change.generation, std::min(kCatchUpMs, change.timeout_ms));
    }
    const Result<void> settled = slot          ? settle_thread(target, *slot, change)
                                 : change.kind ? settle_kind(target, change)
                                               : settle_process(target, change);
    if (!settled) return tl::unexpected(settled.error());
    const char state = state_of(change.pid);
    change.stopped = state == 'T' || state == 't';
    return Answer{change.applied ? Status::kOk : Status::kPartlyApplied, change};
}

// The kind that is meant, and where the policy's text begins.
Result<size_t> read_kind_of(const Arguments& arguments, bool to_nothing, Change& change) {
    size_t offset = 0;
    if (to_nothing) {
        const auto kind = read_kind_name(arguments.kind);
        if (!kind) return tl::unexpected(kind.error());
        change.kind = *kind;
    } else {
        const Result<KindOfText> kind = read_kind(arguments.policy);
        if (!kind) return tl::unexpected(kind.error());
        change.kind = kind->kind;
        offset = kind->policy_offset;
    }
    return offset;
}

// What was published stays, whatever becomes of the migration.
Result<Answer> add_migration(Target& target, std::optional<control::ThreadSlot> slot,
                             const Arguments& arguments, Answer answer) {
    Change& change = std::get<Change>(answer.value);
    if (!change.applied) return answer;
    const Result<Migration> migration =
        run_migration(target, {change.pid, change.tid}, slot, arguments);
    if (!migration) return tl::unexpected(migration.error());
    change.migration = *migration;
    answer.status = migration->status();
    return answer;
}

Result<Answer> change_policy(const Arguments& arguments, bool to_nothing) {
    const Result<TargetName> name = parse_target(arguments.target);
    if (!name) return tl::unexpected(name.error());
    if (name->tid && arguments.process) {
        return misused("--process is for a whole process: name PID, not PID/TID");
    }
    if (arguments.migrate && arguments.no_wait)
        return misused("--migrate waits: leave out --no-wait");
    if (!arguments.rate.empty() && !arguments.migrate) return misused("--rate is for --migrate");
    if (const auto rate = parse_rate(arguments.rate); !rate) return tl::unexpected(rate.error());
    Change change;
    change.pid = name->pid;
    change.tid = name->tid;
    change.everywhere = arguments.process;
    change.waited = !arguments.no_wait;
    change.timeout_ms = arguments.timeout_ms;
    const Result<size_t> offset = read_kind_of(arguments, to_nothing, change);
    if (!offset) return tl::unexpected(offset.error());
    auto target = Target::attach(name->pid, control::Access::kWrite);
    if (!target) return failed(target.error());
    target->set_keep_cached(arguments.keep_cached);
    std::optional<control::ThreadSlot> slot;
    if (name->tid) {
        const auto found = target->slot_of(*name->tid);
        if (!found) return failed(found.error());
        slot = *found;
    }
    if (!to_nothing) {
        const Result<void> checked = check(arguments, *offset, change);
        if (!checked) return tl::unexpected(checked.error());
    }
    const Result<Answer> answer = publish_and_wait(*target, slot, change);
    if (!answer || !arguments.migrate) return answer;
    return add_migration(*target, slot, arguments, *answer);
}

}  // namespace

Result<Answer> set(const Arguments& arguments) {
    return change_policy(arguments, false);
}

Result<Answer> unset(const Arguments& arguments) {
    return change_policy(arguments, true);
}

}  // namespace mpol::cli

// SPDX-License-Identifier: Apache-2.0
#include "daemon/enforce.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>

#include "policy/text.h"

namespace mpol::daemon {
namespace {

std::string text_of(const control::Published& asked) {
    return asked.set ? policy_text(asked.policy) : std::string();
}

// Of what was asked of the scope last; 0: not answered yet, or not refused.
template <class State>
int refusal_of(const State& state) {
    return state.applied >= state.asked.generation ? state.applied_errno : 0;
}

class Enforcer {
  public:
    Enforcer(control::Target& target, const std::optional<Policy>& inherited)
        : target_(target), inherited_(inherited) {}

    Enforced enforce(const Wanted& wanted) {
        std::map<unsigned, const WantedScope*> threads;
        const WantedScope* process = nullptr;
        find_scopes(wanted, process, threads);
        const control::ProcessState state = target_.process();
        bring({}, 0, state.asked, refusal_of(state), process);
        for (const control::ThreadState& thread : target_.threads()) {
            const auto found = threads.find(thread.slot);
            const WantedScope* const scope = found == threads.end() ? nullptr : found->second;
            if (scope == nullptr && !thread.asked.set) continue;
            const pid_t tid = scope != nullptr ? scope->thread->tid : thread.tid;
            bring(control::ThreadSlot(thread.slot, thread.tid), tid, thread.asked,
                  refusal_of(thread), scope);
            if (result_.again) break;
        }
        migrate();
        return std::move(result_);
    }

  private:
    // The slots of the threads that are to have policies of their own.
    void find_scopes(const Wanted& wanted, const WantedScope*& ret_process,
                     std::map<unsigned, const WantedScope*>& ret_threads) {
        std::map<pid_t, unsigned> slots;
        const bool any_thread = std::any_of(wanted.scopes.begin(), wanted.scopes.end(),
                                            [](const auto& one) { return one.thread.has_value(); });
        if (any_thread) {
            for (const control::ThreadState& thread : target_.threads()) {
                slots[target_.same_namespace() ? thread.tid : target_.outer_tid(thread.tid)] =
                    thread.slot;
            }
        }
        for (const WantedScope& scope : wanted.scopes) {
            if (!scope.thread) {
                ret_process = &scope;
            } else if (const auto slot = slots.find(scope.thread->tid); slot != slots.end()) {
                ret_threads[slot->second] = &scope;
            }
        }
    }

    void bring(const control::ScopeName& scope, pid_t tid, const control::Published& asked,
               int refused, const WantedScope* wanted) {
        const bool ours = asked.origin.kind == MPOL_CTL_ORIGIN_DAEMON;
        // The system's rules go before a user's.
        if (ours && asked.origin.uid == 0 && user_ != 0) {
            if (wanted != nullptr) ++result_.of_system;
            return;
        }
        if (wanted == nullptr) return give_back(scope, tid, asked);
        if (asked.readable && asked.set && ours && asked.policy == wanted->policy) {
            if (refused != 0) result_.problem = refusal_words(refused);
            return;
        }
        if (result_.changes.size() >= kScopesAtOnce) {
            result_.again = true;
            return;
        }
        const auto generation =
            target_.hold(scope, wanted->policy, 0, scope ? std::nullopt : inherited_);
        if (!generation) return note(generation.error());
        result_.changes.push_back(
            {Deed::kSet, scope, tid, text_of(asked), policy_text(wanted->policy), *generation});
        if (wanted->migrate) moving_.push_back(scope);
    }

    void give_back(const control::ScopeName& scope, pid_t tid, const control::Published& asked) {
        const bool nobodys = asked.readable && asked.origin.kind == MPOL_CTL_ORIGIN_NONE;
        if (!scope && inherited_ && nobodys) return give_back_what_was_handed_on();
        if (asked.readable && asked.origin.kind != MPOL_CTL_ORIGIN_DAEMON) return;
        // What a user's daemon has set is not the system's to take back, only to replace.
        if (asked.readable && asked.origin.uid != user_) return;
        const control::Held held = target_.held(scope);
        if (held.holder != control::Holder::kDaemon) return;
        const auto holder = target_.give_back(scope, 0);
        if (!holder) return note(holder.error());
        if (*holder != control::Holder::kDaemon) return;
        result_.changes.push_back({Deed::kGivenBack, scope, tid, text_of(asked),
                                   held.had_policy ? policy_text(held.before) : "",
                                   generation_of(scope)});
    }

    // The process's segment knows of nothing to give back: what it would have begun with is put
    // there first.
    void give_back_what_was_handed_on() {
        const auto held = target_.hold({}, *inherited_, 0, inherited_);
        if (!held) return note(held.error());
        const auto holder = target_.give_back({}, 0);
        if (!holder) return note(holder.error());
        const auto state = target_.process();
        const std::string from = state.inherited ? policy_text(*state.inherited) : "";
        result_.changes.push_back(
            {Deed::kGivenBack, {}, 0, from, policy_text(*inherited_), state.asked.generation});
    }

    // What was published for it last.
    [[nodiscard]] uint64_t generation_of(const control::ScopeName& scope) const {
        if (!scope) return target_.process().asked.generation;
        const auto thread = target_.thread(*scope);
        return thread ? thread->asked.generation : 0;
    }

    // The target moves its pages by itself; nobody has to wait for it. It has one migration at a
    // time: of several scopes, all of its memory. One that is under way looks at everything again
    // after a rewrite.
    void migrate() {
        if (moving_.empty()) return;
        const control::ScopeName which = moving_.size() == 1 ? moving_.front() : std::nullopt;
        (void)target_.start_migration({which, 0, 0}, 0);
    }

    void note(const control::Failure& failure) {
        if (failure.err == EBUSY) {
            result_.again = true;
        } else if (failure.err == EEXIST) {
            ++result_.left_alone;
        } else if (failure.err != ESRCH && failure.err != ECANCELED) {
            result_.problem = failure.what;
        }
    }

    control::Target& target_;
    const std::optional<Policy>& inherited_;
    const uid_t user_ = ::geteuid();
    Enforced result_;
    std::vector<control::ScopeName> moving_;
};

}  // namespace

Enforced enforce(control::Target& target, const Wanted& wanted,
                 const std::optional<Policy>& inherited) {
    return Enforcer(target, inherited).enforce(wanted);
}

std::string refusal_words(int err) {
    const char* const name = ::strerrorname_np(err);
    return fmt::format("could not apply the policy: {} ({}); the old one stays in force",
                       name != nullptr ? name : std::to_string(err), std::strerror(err));
}

std::string shortfall(const Wanted& wanted, const Enforced& done) {
    if (!wanted.problem.empty()) return "degraded: " + wanted.problem;
    if (!done.problem.empty()) return done.problem;
    if (done.left_alone > 0) return "set by somebody else since";
    if (done.of_system > 0) return "set by the system's daemon, whose rules go before a user's";
    return {};
}

std::vector<Applied> rows_of(pid_t pid, const Wanted& wanted, const Enforced& done) {
    std::vector<Applied> rows;
    Applied row;
    row.pid = pid;
    row.comm = wanted.comm;
    if (wanted.rule) row.rule = *wanted.rule;
    for (const Change& change : done.changes) {
        row.tid = change.tid;
        row.done = true;
        row.from = change.from;
        row.to = change.to;
        row.generation = change.generation;
        rows.push_back(row);
    }
    row.why = shortfall(wanted, done);
    if (row.why.empty()) return rows;
    row.tid = 0;
    row.done = false;
    row.from.clear();
    row.to.clear();
    row.generation = 0;
    rows.push_back(std::move(row));
    return rows;
}

}  // namespace mpol::daemon

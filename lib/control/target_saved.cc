// SPDX-License-Identifier: Apache-2.0
// Target: policies that can be given back (struct mpol_ctl_saved). Everything that decides is read
// under the writers' lock; what a row keeps was checked before it is published again.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "control/attach.h"
#include "control/saved.h"
#include "control/target_locked.h"

namespace mpol::control {
namespace {

// A scope as it is: its latch, and what the latch and its row say.
struct ScopeNow {
    SharedLatch latch{};
    uint64_t word = 0;
    PolicyWords policy{};
    SavedRow saved{};
    bool live = false;

    [[nodiscard]] Holder holder() const {
        if (saved.state != MPOL_CTL_SAVED_HELD) return Holder::kNobody;
        if (is_daemons(saved, word, policy)) return Holder::kDaemon;
        return nothing_happened(saved, policy) ? Holder::kNobody : Holder::kOther;
    }
};

unsigned row_of(const ScopeName& scope) {
    return scope ? 1 + scope->slot : 0;
}

off_t offset_of(unsigned row) {
    return MPOL_CTL_SAVED_OFFSET + static_cast<off_t>(row * sizeof(mpol_ctl_saved));
}

bool rows_used(const mpol_ctl& segment) {
    return (load(segment.header.saved) & MPOL_CTL_SAVED_USED) != 0;
}

// Read through the descriptor: a row that nobody has written stays no memory.
SavedRow read_row(int fd, unsigned row) {
    mpol_ctl_saved copy{};
    const ssize_t got = ::pread(fd, &copy, sizeof(copy), offset_of(row));
    return got == sizeof(copy) ? read_saved(copy) : SavedRow{};
}

ScopeNow look(mpol_ctl& segment, int fd, unsigned row) {
    ScopeNow now;
    uint32_t tid = 0;
    now.latch = row == 0 ? process_latch(segment) : slot_latch(segment, row - 1);
    if (row != 0) tid = load(segment.slots[row - 1].tid);
    now.live = latch_read(now.latch, now.policy.words, now.word) &&
               (row == 0 || (now.word & kState) == kLive);
    if (now.live && rows_used(segment)) now.saved = read_row(fd, row);
    // Of a thread that had the slot before.
    if (now.saved.tid != tid) now.saved = {};
    return now;
}

// What is to be kept of a scope that the daemon has not touched before.
SavedRow row_for(const ScopeNow& now, uint32_t tid, const std::optional<Policy>& inherited) {
    SavedRow saved;
    saved.state = MPOL_CTL_SAVED_HELD;
    saved.tid = tid;
    // A thread that has inherited a daemon's policy, but got no row: it would have none.
    if (origin_kind(now.policy) == MPOL_CTL_ORIGIN_DAEMON) return saved;
    saved.had_policy = (now.word & kHasPolicy) != 0;
    saved.policy = now.policy;
    if (saved.had_policy || !inherited) return saved;
    saved.had_policy = true;
    saved.policy = encode(*inherited, {MPOL_CTL_ORIGIN_INHERITED, 0, 0, sys::realtime_ns()});
    return saved;
}

Failure thread_exited(pid_t pid) {
    return fail(ESRCH, fmt::format("the thread of process {} has exited", pid));
}

}  // namespace

Result<uint64_t> Target::hold(const ScopeName& scope, const Policy& policy, int timeout_ms,
                              const std::optional<Policy>& inherited) {
    const Origin origin{MPOL_CTL_ORIGIN_DAEMON, ::geteuid(), static_cast<uint32_t>(::getpid()),
                        sys::realtime_ns(), 0};
    const unsigned row = row_of(scope);
    return locked(timeout_ms, [&]() -> Result<uint64_t> {
        if (undone()) {
            return tl::unexpected(
                fail(ECANCELED, fmt::format("the policies of process {} were undone", pid_)));
        }
        if (back_row(fd_, offset_of(row), sizeof(mpol_ctl_saved)) != 0) {
            return tl::unexpected(fail(errno, fmt::format("no memory for the saved rows in the "
                                                          "control segment of process {}",
                                                          pid_)));
        }
        __atomic_fetch_or(&segment_->header.saved, MPOL_CTL_SAVED_USED, __ATOMIC_ACQ_REL);
        const ScopeNow now = look(*segment_, fd_, row);
        if (!now.live || (scope && !is_of(segment_->slots[scope->slot], *scope))) {
            return tl::unexpected(thread_exited(pid_));
        }
        if (now.holder() == Holder::kOther) {
            return tl::unexpected(
                fail(EEXIST, fmt::format("process {} was set by hand since", pid_)));
        }
        const uint64_t next = generation(next_generation(now.word));
        if (now.holder() == Holder::kDaemon) {
            store(segment_->saved[row].ours, next);
        } else {
            const uint32_t tid = row == 0 ? 0 : load(segment_->slots[row - 1].tid);
            SavedRow saved = row_for(now, tid, inherited);
            saved.ours = next;
            write_saved(segment_->saved[row], saved);
        }
        const PolicyWords words = encode(policy, origin);
        if (!publish_words(*segment_, row, now.latch, now.word, true, words)) {
            return tl::unexpected(thread_exited(pid_));
        }
        return next;
    });
}

Holder Target::give_back_locked(unsigned row, Held& ret_held) {
    const ScopeNow now = look(*segment_, fd_, row);
    if (!now.live || now.saved.state != MPOL_CTL_SAVED_HELD) return Holder::kNobody;
    const Holder holder = now.holder();
    Origin origin;
    ret_held.had_policy = now.saved.had_policy && decode(now.saved.policy, ret_held.before, origin);
    const bool sound = ret_held.had_policy == now.saved.had_policy;
    // A thread that exits meanwhile needs nothing.
    if (holder == Holder::kDaemon &&
        !publish_words(*segment_, row, now.latch, now.word, ret_held.had_policy,
                       sound ? now.saved.policy : PolicyWords{})) {
        return Holder::kNobody;
    }
    store(segment_->saved[row].word, uint64_t{MPOL_CTL_SAVED_NONE});
    return holder;
}

Result<Holder> Target::give_back(const ScopeName& scope, int timeout_ms) {
    return locked(timeout_ms, [&]() -> Result<Holder> {
        if (scope && !is_of(segment_->slots[scope->slot], *scope)) return Holder::kNobody;
        Held held;
        return give_back_locked(row_of(scope), held);
    });
}

Result<std::vector<GivenBack>> Target::undo(int timeout_ms) {
    return locked(timeout_ms, [&]() -> Result<std::vector<GivenBack>> {
        std::vector<GivenBack> all;
        if (!rows_used(*segment_)) return all;
        // First: whoever finds it half done goes on, and whoever begins with its creator's, in a
        // slot that is not open yet, gives it back himself (claim_slot).
        __atomic_fetch_or(&segment_->header.saved, MPOL_CTL_SAVED_UNDONE, __ATOMIC_SEQ_CST);
        const unsigned used = std::min(load(segment_->header.slots_used), MPOL_CTL_SLOTS);
        for (unsigned row = 0; row <= used; ++row) {
            Held held;
            const Holder holder = give_back_locked(row, held);
            if (holder == Holder::kNobody) continue;
            ScopeName scope;
            if (row != 0) {
                const auto tid = static_cast<pid_t>(load(segment_->slots[row - 1].tid));
                scope = ThreadSlot(row - 1, tid);
            }
            all.push_back({scope, holder, held.had_policy, held.before});
        }
        return all;
    });
}

Result<void> Target::redo(int timeout_ms) {
    return locked(timeout_ms, [&]() -> Result<void> {
        __atomic_fetch_and(&segment_->header.saved, ~MPOL_CTL_SAVED_UNDONE, __ATOMIC_ACQ_REL);
        return {};
    });
}

Held Target::held(const ScopeName& scope) const {
    const ScopeNow now = look(*segment_, fd_, row_of(scope));
    Held held;
    if (!now.live || (scope && !is_of(segment_->slots[scope->slot], *scope))) return held;
    held.holder = now.holder();
    Origin origin;
    held.had_policy = now.saved.had_policy && decode(now.saved.policy, held.before, origin);
    return held;
}

bool Target::undone() const {
    return (load(segment_->header.saved) & MPOL_CTL_SAVED_UNDONE) != 0;
}

}  // namespace mpol::control

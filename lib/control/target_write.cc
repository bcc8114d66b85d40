// SPDX-License-Identifier: Apache-2.0
// Target: publishing, asking, and waiting for the target to act.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "control/attach.h"
#include "control/proc.h"
#include "control/target_locked.h"
#include "sys/sys.h"

namespace mpol::control {
namespace {

// While waiting for an acknowledgement: how often the target is checked to be alive.
constexpr int64_t kAliveCheckNs = 100'000'000;
// Whoever asked and has not fetched the answer by then is gone: no wait is this long.
constexpr uint64_t kAbandonedNs = 600'000'000'000;

Origin origin_of(pid_t writer, bool keep_cached) {
    const pid_t pid = writer != 0 ? writer : ::getpid();
    return {MPOL_CTL_ORIGIN_OUTSIDE, ::geteuid(), static_cast<uint32_t>(pid), sys::realtime_ns(),
            static_cast<uint8_t>(keep_cached ? MPOL_CTL_APPLY_KEEP_CACHED : 0)};
}

// Writes one latch; the caller holds the writers' lock and has settled the spare's last owner.
bool publish_one(mpol_ctl& segment, uint64_t owner, const SharedLatch& latch, uint64_t seen,
                 const std::optional<Policy>& policy, const Origin& origin) {
    // The words of an unset: nothing but who, when and how.
    const PolicyWords words = encode(policy.value_or(Policy{}), origin);
    return publish_words(segment, owner, latch, seen, policy.has_value(), words);
}

// They go with the thread's own policy. The caller holds the writers' lock.
void unset_own_kinds(mpol_ctl& segment, unsigned slot, const Origin& origin) {
    for (unsigned kind = 0; kind < MPOL_CTL_KINDS; ++kind) {
        if (!has_own_row(segment, kind, slot)) continue;
        const SharedLatch latch = own_kind_latch(segment, kind, slot);
        const uint64_t seen = SharedMemory::load(*latch.word);
        // A thread that exits meanwhile needs no unset.
        if ((seen & kHasPolicy) == 0) continue;
        (void)publish_one(segment, own_kind_owner(kind, slot), latch, seen, std::nullopt, origin);
    }
}

// No thread has a policy of its own any more, nor gets one from its creator: it is open here, or
// sees that it has to give it up (claim_slot).
void unset_threads(mpol_ctl& segment, const Origin& origin) {
    __atomic_fetch_add(&segment.header.cleared, 1, __ATOMIC_SEQ_CST);
    const unsigned used = std::min(load(segment.header.slots_used), MPOL_CTL_SLOTS);
    for (unsigned slot = 0; slot < used; ++slot) {
        const SharedLatch latch = slot_latch(segment, slot);
        const uint64_t seen = SharedMemory::load(*latch.word);
        if ((seen & kState) != kLive) continue;
        unset_own_kinds(segment, slot, origin);
        if ((seen & kHasPolicy) == 0) continue;
        (void)publish_one(segment, 1 + slot, latch, seen, std::nullopt, origin);
    }
}

}  // namespace

Result<uint64_t> Target::publish_process(const std::optional<Policy>& policy, int timeout_ms) {
    const Origin origin = origin_of(writer_, keep_cached_);
    return locked(timeout_ms, [&]() -> Result<uint64_t> {
        const SharedLatch latch = process_latch(*segment_);
        // Only writers change this word, and the lock is ours: it can't fail on an honest segment.
        if (!publish_one(*segment_, 0, latch, SharedMemory::load(*latch.word), policy, origin)) {
            return tl::unexpected(fail(EPROTO, fmt::format("the control segment of process {} "
                                                           "changed under the lock",
                                                           pid_)));
        }
        return generation(SharedMemory::load(*latch.word));
    });
}

Failure Target::exited(ThreadSlot slot) const {
    return fail(ESRCH,
                fmt::format("the thread in slot {} of process {} has exited", slot.slot, pid_));
}

Result<uint64_t> Target::publish_thread(ThreadSlot slot, const std::optional<Policy>& policy,
                                        int timeout_ms) {
    const Origin origin = origin_of(writer_, keep_cached_);
    return locked(timeout_ms, [&]() -> Result<uint64_t> {
        const SharedLatch latch = slot_latch(*segment_, slot);
        const uint64_t seen = SharedMemory::load(*latch.word);
        // The tid is of the life that seen is of: in another, the publication fails.
        if ((seen & kState) != kLive || !is_of(segment_->slots[slot.slot], slot) ||
            !publish_one(*segment_, 1 + slot.slot, latch, seen, policy, origin)) {
            return tl::unexpected(exited(slot));
        }
        if (!policy) unset_own_kinds(*segment_, slot.slot, origin);
        return generation(next_generation(seen));
    });
}

Result<uint64_t> Target::publish_own_kind(ThreadSlot slot, const KindName& name,
                                          const std::optional<Policy>& policy, int timeout_ms) {
    const Origin origin = origin_of(writer_, keep_cached_);
    return locked(timeout_ms, [&]() -> Result<uint64_t> {
        mpol_ctl_slot& thread = segment_->slots[slot.slot];
        mpol_ctl_kind& row = segment_->own_kinds[name.kind][slot.slot];
        const auto at = reinterpret_cast<char*>(&row) - reinterpret_cast<char*>(segment_);
        if (!has_own_row(*segment_, name.kind, slot.slot) && back_row(fd_, at, sizeof(row)) != 0) {
            return tl::unexpected(fail(errno, fmt::format("no memory for a thread's row in the "
                                                          "control segment of process {}",
                                                          pid_)));
        }
        // Announced, then the row's word, then whose the slot is: in a later life the publication
        // fails. Pairs with renew_own_kinds in slots.cc.
        __atomic_fetch_or(&thread.kinds, 1U << name.kind, __ATOMIC_SEQ_CST);
        const SharedLatch latch = own_kind_latch(*segment_, name.kind, slot.slot);
        const uint64_t seen = SharedMemory::load(*latch.word);
        const uint64_t life = __atomic_load_n(&thread.word, __ATOMIC_SEQ_CST);
        const bool lives = (life & kState) == kLive && is_of(thread, slot);
        if (lives && policy && name.kind == MPOL_CTL_KIND_LARGE && (life & kHasPolicy) == 0) {
            return tl::unexpected(
                fail(ENODATA, fmt::format("the thread in slot {} of process {} follows the process",
                                          slot.slot, pid_)));
        }
        const uint64_t next = generation(next_generation(seen));
        if (lives) store(row.threshold[next % 2], policy ? name.threshold : 0);
        const uint64_t owner = own_kind_owner(name.kind, slot.slot);
        if (!lives || !publish_one(*segment_, owner, latch, seen, policy, origin)) {
            return tl::unexpected(exited(slot));
        }
        return next;
    });
}

Result<uint64_t> Target::publish_kind(const KindName& name, const std::optional<Policy>& policy,
                                      bool everywhere, int timeout_ms) {
    const Origin origin = origin_of(writer_, keep_cached_);
    return locked(timeout_ms, [&]() -> Result<uint64_t> {
        if (everywhere) unset_threads(*segment_, origin);
        uint32_t& published = segment_->header.kinds;
        if (load(published) == 0 &&
            back_row(fd_, MPOL_CTL_KINDS_OFFSET, sizeof(segment_->kinds)) != 0) {
            return tl::unexpected(fail(errno, fmt::format("no memory for the kinds' rows in the "
                                                          "control segment of process {}",
                                                          pid_)));
        }
        const SharedLatch latch = kind_latch(*segment_, name.kind);
        const uint64_t seen = SharedMemory::load(*latch.word);
        const uint64_t next = generation(next_generation(seen));
        store(segment_->kinds[name.kind].threshold[next % 2], policy ? name.threshold : 0);
        __atomic_fetch_or(&published, 1U << name.kind, __ATOMIC_ACQ_REL);
        if (!publish_one(*segment_, 1 + MPOL_CTL_SLOTS + name.kind, latch, seen, policy, origin)) {
            return tl::unexpected(fail(EPROTO, fmt::format("the control segment of process {} "
                                                           "changed under the lock",
                                                           pid_)));
        }
        return next;
    });
}

Result<uint64_t> Target::publish_everywhere(const std::optional<Policy>& policy, int timeout_ms) {
    const Origin origin = origin_of(writer_, keep_cached_);
    return locked(timeout_ms, [&]() -> Result<uint64_t> {
        unset_threads(*segment_, origin);
        const SharedLatch latch = process_latch(*segment_);
        if (!publish_one(*segment_, 0, latch, SharedMemory::load(*latch.word), policy, origin)) {
            return tl::unexpected(fail(EPROTO, fmt::format("the control segment of process {} "
                                                           "changed under the lock",
                                                           pid_)));
        }
        return generation(SharedMemory::load(*latch.word));
    });
}

mpol_ctl_request* Target::free_request() {
    const uint64_t now = sys::monotonic_ns();
    for (mpol_ctl_request& row : segment_->header.requests) {
        const uint64_t state = SharedMemory::load(row.word) & MPOL_CTL_REQUEST_STATE;
        const bool abandoned = now - load(row.asked_ns) > kAbandonedNs;
        if (state == MPOL_CTL_REQUEST_IDLE || abandoned) return &row;
    }
    return nullptr;
}

Result<Answer> Target::ask(const Request& request, int timeout_ms) {
    mpol_ctl_request* row = nullptr;
    const Result<uint64_t> asked = locked(timeout_ms, [&]() -> Result<uint64_t> {
        row = free_request();
        if (row == nullptr) {
            return tl::unexpected(fail(EBUSY,
                                       fmt::format("process {} has {} requests to answer already",
                                                   pid_, MPOL_CTL_REQUESTS),
                                       "try again"));
        }
        const uint64_t word =
            next_generation(SharedMemory::load(row->word)) & ~MPOL_CTL_REQUEST_STATE;
        store(row->asked_ns, sys::monotonic_ns());
        store(row->op, static_cast<uint32_t>(request.op));
        store(row->start, request.start);
        store(row->size, request.size);
        store(row->mode, request.mode);
        store(row->max_node, request.max_node);
        store(row->flags, request.flags);
        for (unsigned i = 0; i < kNodeWords; ++i) store(row->nodes[i], request.nodes.words[i]);
        SharedMemory::store(row->word, word | MPOL_CTL_REQUEST_ASKED);
        return word;
    });
    if (!asked) return tl::unexpected(asked.error());
    const bool done =
        wait(timeout_ms, [&] { return load(row->word) == (*asked | MPOL_CTL_REQUEST_DONE); });
    // Taken back, unless the answer came just now.
    uint64_t word = *asked | MPOL_CTL_REQUEST_ASKED;
    if (!done && SharedMemory::cas(row->word, word, *asked | MPOL_CTL_REQUEST_IDLE)) {
        return tl::unexpected(
            fail(ETIMEDOUT, fmt::format("process {} did not act within {} ms", pid_, timeout_ms),
                 "it acts at its next allocation"));
    }
    if (load(row->word) != (*asked | MPOL_CTL_REQUEST_DONE)) {
        return tl::unexpected(
            fail(EBUSY, fmt::format("the answer of process {} was overwritten", pid_)));
    }
    Answer answer;
    answer.result = load(row->result);
    answer.mode = load(row->mode);
    for (unsigned i = 0; i < kNodeWords; ++i) answer.nodes.words[i] = load(row->nodes[i]);
    store(row->word, *asked | MPOL_CTL_REQUEST_IDLE);
    return answer;
}

template <class Done>
bool Target::wait(int timeout_ms, Done done) const {
    const uint64_t deadline = sys::monotonic_ns() + static_cast<uint64_t>(timeout_ms) * 1'000'000;
    for (;;) {
        const uint32_t seen = load(segment_->header.ack);
        if (done()) return true;
        const uint64_t now = sys::monotonic_ns();
        if (now >= deadline) return false;
        const auto left = static_cast<int64_t>(deadline - now);
        if (sys::futex_wait(&segment_->header.ack, seen, std::min(left, kAliveCheckNs)) ==
                -ETIMEDOUT &&
            !alive()) {
            return false;
        }
    }
}

Result<uint64_t> Target::start_migration(const MigrationRequest& request, int timeout_ms) {
    return locked(timeout_ms, [&]() -> Result<uint64_t> {
        mpol_ctl_migration& row = segment_->header.migration;
        const uint64_t word = SharedMemory::load(row.word);
        if ((word & MPOL_CTL_MIGRATION_STATE) == MPOL_CTL_MIGRATION_RUNNING) {
            return tl::unexpected(fail(EBUSY, fmt::format("process {} is migrating already", pid_),
                                       fmt::format("mpol migrate {} --cancel stops it", pid_)));
        }
        const uint64_t next = next_generation(word) & ~MPOL_CTL_MIGRATION_STATE;
        store(row.bytes_per_second, request.bytes_per_second);
        store(row.lease_ms, request.lease_ms);
        store(row.who, request.thread ? 1 + request.thread->slot : 0);
        SharedMemory::store(row.word, next | MPOL_CTL_MIGRATION_ASKED);
        return generation(next);
    });
}

bool Target::wait_migration(uint64_t wanted, MigrationPhase phase, int timeout_ms) const {
    return wait(timeout_ms, [&] {
        const MigrationState state = migration();
        return state.generation != wanted || state.phase != phase;
    });
}

bool Target::wait_process(uint64_t wanted, int timeout_ms) const {
    return wait(timeout_ms, [&] { return load(segment_->header.process_applied) >= wanted; });
}

bool Target::wait_kind(mpol_ctl_kind_id kind, uint64_t wanted, int timeout_ms) const {
    return wait(timeout_ms, [&] { return load(segment_->kinds[kind].applied) >= wanted; });
}

bool Target::wait_own_kind(ThreadSlot slot, mpol_ctl_kind_id kind, uint64_t wanted,
                           int timeout_ms) const {
    const mpol_ctl_slot& thread = segment_->slots[slot.slot];
    bool gone = false;
    const bool done = wait(timeout_ms, [&] {
        gone = !is_of(thread, slot) || (load(thread.word) & kState) != kLive;
        const mpol_ctl_kind& row = segment_->own_kinds[kind][slot.slot];
        const bool is_there = kind == MPOL_CTL_KIND_LARGE || load(row.placed) != 0;
        return gone || !is_there || load(row.applied) >= wanted;
    });
    return done && !gone;
}

bool Target::wait_all_threads(uint64_t wanted, int timeout_ms) const {
    return wait(timeout_ms, [&] {
        const auto all = threads();
        return std::all_of(all.begin(), all.end(), [&](const ThreadState& thread) {
            return thread.asked.set || thread.process_seen >= wanted;
        });
    });
}

bool Target::wait_thread(ThreadSlot slot, uint64_t wanted, int timeout_ms) const {
    const mpol_ctl_slot& row = segment_->slots[slot.slot];
    bool gone = false;
    const bool done = wait(timeout_ms, [&] {
        gone = !is_of(row, slot) || (load(row.word) & kState) != kLive;
        return gone || load(row.applied) >= wanted;
    });
    return done && !gone;
}

}  // namespace mpol::control

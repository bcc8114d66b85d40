// SPDX-License-Identifier: Apache-2.0
#include "heap/migrate.h"

#include <algorithm>
#include <cerrno>
#include <memory>

#include "control/segment.h"
#include "heap/apply.h"
#include "heap/huge_pages.h"
#include "heap/hurry.h"
#include "heap/locks.h"
#include "heap/migrate_walk.h"
#include "heap/notify.h"
#include "heap/own_large.h"
#include "sys/fail_point.h"
#include "sys/sys.h"

namespace mpol::heap {

using control::generation;
using control::load;
using control::local;
using control::SharedMemory;
using control::store;

namespace {

// While it waits for its rate, it looks for a cancellation and at the lease at least this often.
constexpr uint64_t kLookNs = 100'000'000;
// Whoever looks away for longer than this is gone.
constexpr uint32_t kLeaseMsMax = 60'000;

// Of the helper thread. Copies of what was asked: the row can be written by others at any time.
struct Job {
    uint64_t generation = 0;  // 0: none
    bool paused = false;      // the lease has run out
    bool everything = false;
    ScopesOfSlot scopes{};  // of a thread: with a reference to each
    uint64_t bytes_per_second = 0;
    uint64_t lease_ns = 0;  // 0: none
    uint64_t beat = 0;
    uint64_t beat_seen_ns = 0;
    uint64_t began_ns = 0;
    uint64_t next_ns = 0;  // no batch begins before
    unsigned batch_pages = kBatchPagesMin;
    uint64_t batches = 0;
    uint64_t longest_batch_ns = 0;
    uint64_t rewrites = 0;
    Tally tally{};
};
constinit Job job{};
// Tens of KiB that are not all zero: from the first migration on, and not in every process.
union WalkStorage {
    char none = 0;
    Walk walk;
};
constinit WalkStorage walk_storage{};
constinit Walk& walk = walk_storage.walk;

mpol_ctl_migration& row() {
    return local.header.migration;
}

uint64_t word_of(uint64_t state) {
    return job.generation << control::kGenerationShift | state;
}

void publish_progress() {
    uint64_t bound = 0;
    uint64_t unbound = 0;
    walk.measure(bound, unbound);
    store(row().elapsed_ns, sys::monotonic_ns() - job.began_ns);
    store(row().total_bytes, bound);
    store(row().unbound_bytes, unbound);
    store(row().seen_bytes, walk.seen_bytes());
    store(row().moved_bytes, job.tally.moved);
    store(row().placed_bytes, job.tally.placed);
    for (unsigned i = 0; i < MPOL_CTL_MIGRATION_FAILURES; ++i) {
        store(row().failed[i], job.tally.failed[i]);
    }
    store(row().batches, job.batches);
    store(row().longest_batch_ns, job.longest_batch_ns);
    store(row().batch_pages, uint32_t{job.batch_pages});
    store(row().rewrites, job.rewrites);
    store(row().error, -job.tally.last_error);
}

// False: the row is somebody else's by now.
bool change_state(uint64_t from, uint64_t to) {
    uint64_t expected = word_of(from);
    const bool changed = SharedMemory::cas(row().word, expected, word_of(to));
    acknowledge();
    return changed;
}

// Whatever it was at: what it held is let go.
void drop_job() {
    put_scopes(job.scopes);
    job = {};
}

void end(uint64_t state) {
    publish_progress();
    (void)fail_point(sys::FailPoint::kMigrateEnd);
    (void)change_state(job.paused ? MPOL_CTL_MIGRATION_EXPIRED : MPOL_CTL_MIGRATION_RUNNING, state);
    drop_job();
}

void begin_walk() {
    std::construct_at(&walk_storage.walk);
    // Of a thread that follows the process nothing is its own: an empty walk.
    const bool nothing = !job.everything && job.scopes.own == kProcessScope;
    const ScopeId own = nothing ? ScopeId{kScopesMax} : job.scopes.own;
    const ScopeId large = job.scopes.large == kProcessScope ? own : job.scopes.large;
    walk.begin(job.everything, own, large, job.tally);
}

// Takes up what is asked for.
bool begin(uint64_t now) {
    const uint64_t word = SharedMemory::load(row().word);
    if ((word & MPOL_CTL_MIGRATION_STATE) != MPOL_CTL_MIGRATION_ASKED) return false;
    const uint32_t who = load(row().who);
    if (generation(word) == 0 || who > MPOL_CTL_SLOTS) return false;
    job = {};
    job.everything = who == 0;
    if (!job.everything) job.scopes = get_scopes_of_slot(who - 1);
    job.generation = generation(word);
    job.bytes_per_second = load(row().bytes_per_second);
    job.lease_ns = uint64_t{std::min(load(row().lease_ms), kLeaseMsMax)} * 1'000'000;
    job.beat = load(row().beat);
    job.beat_seen_ns = job.began_ns = job.next_ns = now;
    begin_walk();
    publish_progress();
    (void)fail_point(sys::FailPoint::kMigrateBegin);
    if (!change_state(MPOL_CTL_MIGRATION_ASKED, MPOL_CTL_MIGRATION_RUNNING)) drop_job();
    return job.generation != 0;
}

// Whether the job goes on: not cancelled, not replaced, and whoever asked still waits for it.
bool goes_on(uint64_t now) {
    const uint64_t mine =
        word_of(job.paused ? MPOL_CTL_MIGRATION_EXPIRED : MPOL_CTL_MIGRATION_RUNNING);
    if (SharedMemory::load(row().word) != mine) {
        drop_job();
        return false;
    }
    if (load(row().cancel) == job.generation) {
        end(MPOL_CTL_MIGRATION_CANCELLED);
        return false;
    }
    if (const uint64_t beat = load(row().beat); beat != job.beat) {
        job.beat = beat;
        job.beat_seen_ns = now;
    }
    const bool expired = job.lease_ns != 0 && now - job.beat_seen_ns > job.lease_ns;
    if (expired == job.paused) return !expired;
    (void)change_state(job.paused ? MPOL_CTL_MIGRATION_EXPIRED : MPOL_CTL_MIGRATION_RUNNING,
                       expired ? MPOL_CTL_MIGRATION_EXPIRED : MPOL_CTL_MIGRATION_RUNNING);
    job.paused = expired;
    return !expired;
}

// One call that moves, measured. 0 or -errno: there is no moving here.
int run_batch(uint64_t now) {
    const uint64_t moved_before = job.tally.moved;
    const uint64_t cpu_before = sys::thread_cpu_ns();
    unsigned pages = 0;
    int err = 0;
    {
        const Inside inside(migration_gate);
        const Notice notice(MPOL_EVENT_MIGRATE, walk.mover().start(), walk.mover().size());
        err = walk.mover().run_batch(job.batch_pages, job.tally, pages);
    }
    if (err != 0) return err;
    const uint64_t took_ns = sys::monotonic_ns() - now;
    // A huge page is moved whole, however many pages would be right.
    if (pages <= job.batch_pages) {
        job.batch_pages =
            next_batch_pages(job.batch_pages, pages, sys::thread_cpu_ns() - cpu_before);
    }
    job.next_ns = next_begin_ns(now, job.tally.moved - moved_before, job.bytes_per_second);
    job.longest_batch_ns = std::max(job.longest_batch_ns, took_ns);
    ++job.batches;
    return 0;
}

}  // namespace

int64_t migrate_some() {
    const uint64_t now = sys::monotonic_ns();
    if (job.generation == 0 && !begin(now)) return -1;
    if (!goes_on(now)) return job.paused ? -1 : 0;
    if (now < job.next_ns) return static_cast<int64_t>(std::min(job.next_ns - now, kLookNs));
    const Unhurried unhurried;
    if (walk.outdated()) {
        ++job.rewrites;
        begin_walk();
    }
    bool over = false;
    const int err = walk.mover().settled() ? walk.advance(job.tally, over) : run_batch(now);
    if (err != 0) job.tally.last_error = err;
    if (err != 0 || over) {
        end(err != 0 ? MPOL_CTL_MIGRATION_REFUSED : MPOL_CTL_MIGRATION_DONE);
    } else {
        publish_progress();
    }
    return 0;
}

void forget_migration() {
    job = {};  // orphan_scopes counts anew.
    forget_huge_pages();
}

}  // namespace mpol::heap

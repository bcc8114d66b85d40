// SPDX-License-Identifier: Apache-2.0
// Target: following a migration, keeping it going, ending it. start_migration is with the other
// writers, in target_write.cc.
#include <climits>

#include "control/attach.h"
#include "sys/sys.h"

namespace mpol::control {
namespace {

MigrationPhase phase_of(uint64_t word) {
    switch (word & MPOL_CTL_MIGRATION_STATE) {
        case MPOL_CTL_MIGRATION_ASKED:
            return MigrationPhase::kAsked;
        case MPOL_CTL_MIGRATION_RUNNING:
            return MigrationPhase::kRunning;
        case MPOL_CTL_MIGRATION_EXPIRED:
            return MigrationPhase::kPaused;
        case MPOL_CTL_MIGRATION_DONE:
            return MigrationPhase::kDone;
        case MPOL_CTL_MIGRATION_CANCELLED:
            return MigrationPhase::kCancelled;
        case MPOL_CTL_MIGRATION_REFUSED:
            return MigrationPhase::kRefused;
        default:
            return MigrationPhase::kIdle;
    }
}

// No sum of a few of them overflows, whatever the bytes.
uint64_t bounded(const uint64_t& field) {
    return load(field) & (UINT64_MAX >> 8);
}

}  // namespace

uint64_t MigrationState::failed_in_all() const {
    uint64_t sum = 0;
    for (const uint64_t bytes : failed) sum += bytes;
    return sum;
}

MigrationState Target::migration() const {
    const mpol_ctl_migration& row = segment_->header.migration;
    MigrationState state;
    // First: what a word says has ended does not change any more.
    const uint64_t word = SharedMemory::load(row.word);
    state.generation = generation(word);
    state.phase = phase_of(word);
    state.elapsed_ns = bounded(row.elapsed_ns);
    state.total = bounded(row.total_bytes);
    state.seen = bounded(row.seen_bytes);
    state.moved = bounded(row.moved_bytes);
    state.placed = bounded(row.placed_bytes);
    state.unbound = bounded(row.unbound_bytes);
    for (unsigned i = 0; i <= MPOL_CTL_MIGRATION_OTHER; ++i)
        state.failed[i] = bounded(row.failed[i]);
    state.batches = bounded(row.batches);
    state.longest_batch_ns = bounded(row.longest_batch_ns);
    state.batch_pages = load(row.batch_pages);
    state.error = static_cast<int>(load(row.error) & INT_MAX);
    state.rewrites = bounded(row.rewrites);
    return state;
}

void Target::renew_migration() {
    mpol_ctl_header& header = segment_->header;
    add(header.migration.beat, uint64_t{1});
    if (phase_of(load(header.migration.word)) != MigrationPhase::kPaused) return;
    add(header.epoch, uint32_t{1});
    sys::futex_wake(&header.epoch, INT_MAX);
}

void Target::cancel_migration(uint64_t wanted) {
    mpol_ctl_header& header = segment_->header;
    uint64_t asked = wanted << kGenerationShift | MPOL_CTL_MIGRATION_ASKED;
    if (SharedMemory::cas(header.migration.word, asked,
                          wanted << kGenerationShift | MPOL_CTL_MIGRATION_CANCELLED)) {
        return;
    }
    store(header.migration.cancel, wanted);
    add(header.epoch, uint32_t{1});
    sys::futex_wake(&header.epoch, INT_MAX);
}

}  // namespace mpol::control

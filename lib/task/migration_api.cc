// SPDX-License-Identifier: Apache-2.0
// The C API of include/mpol/mpol.h: migration.
#include <algorithm>
#include <cerrno>

#include "mpol/mpol.h"
#include "sys/sys.h"
#include "task/guarded.h"
#include "task/target_handle.h"

using namespace mpol::task;
namespace control = mpol::control;

static_assert(MPOL_MIGRATION_DONE == static_cast<int>(control::MigrationPhase::kDone));
static_assert(MPOL_MIGRATION_REFUSED == static_cast<int>(control::MigrationPhase::kRefused));

namespace {

// Several renewals in the shortest lease that makes sense.
constexpr int kLookMs = 50;

mpol_migration from_state(const control::MigrationState& state) {
    mpol_migration out{};
    out.generation = state.generation;
    out.phase = static_cast<uint32_t>(state.phase);
    out.error = state.error;
    out.total_bytes = state.total;
    out.remaining_bytes = state.remaining();
    out.moved_bytes = state.moved;
    out.in_place_bytes = state.placed;
    out.unbound_bytes = state.unbound;
    out.busy_bytes = state.failed[MPOL_CTL_MIGRATION_BUSY];
    out.no_memory_bytes = state.failed[MPOL_CTL_MIGRATION_NO_MEMORY];
    out.shared_bytes = state.failed[MPOL_CTL_MIGRATION_SHARED];
    out.other_bytes = state.failed[MPOL_CTL_MIGRATION_OTHER];
    out.elapsed_ns = state.elapsed_ns;
    out.batches = state.batches;
    out.longest_batch_ns = state.longest_batch_ns;
    return out;
}

}  // namespace

extern "C" {

int mpol_start_migration(mpol_target* target, pid_t tid, uint64_t bytes_per_second,
                         uint32_t lease_ms, uint64_t* ret_generation) {
    return guarded([&] {
        if (!target->writable) return -EBADF;
        control::MigrationRequest request{.bytes_per_second = bytes_per_second,
                                          .lease_ms = lease_ms};
        if (tid != 0) {
            const auto slot = target->target.slot_of(tid);
            if (!slot) return -slot.error().err;
            request.thread = *slot;
        }
        const auto generation = in_turn(*target, [&](control::Target& segment, int left_ms) {
            return segment.start_migration(request, left_ms);
        });
        if (!generation) return -generation.error().err;
        *ret_generation = *generation;
        return 0;
    });
}

int mpol_read_migration(const mpol_target* target, struct mpol_migration* ret_migration) {
    *ret_migration = from_state(target->target.migration());
    return 0;
}

int mpol_renew_migration(mpol_target* target) {
    if (!target->writable) return -EBADF;
    target->target.renew_migration();
    return 0;
}

int mpol_wait_migration(mpol_target* target, uint64_t generation, int timeout_ms) {
    return guarded([&] {
        if (!target->writable) return -EBADF;
        const uint64_t begin = mpol::sys::monotonic_ns();
        for (;;) {
            const control::MigrationState state = target->target.migration();
            if (state.generation != generation) return -ESTALE;
            if (control::has_ended(state.phase)) return 0;
            if (!target->target.alive()) return -ESRCH;
            const auto waited_ms =
                static_cast<int64_t>((mpol::sys::monotonic_ns() - begin) / 1'000'000);
            if (waited_ms >= timeout_ms) return -ETIMEDOUT;
            target->target.renew_migration();
            const auto left_ms = static_cast<int>(timeout_ms - waited_ms);
            (void)target->target.wait_migration(generation, state.phase,
                                                std::min(kLookMs, left_ms));
        }
    });
}

int mpol_cancel_migration(mpol_target* target, uint64_t generation) {
    if (!target->writable) return -EBADF;
    target->target.cancel_migration(generation);
    return 0;
}

}  // extern "C"

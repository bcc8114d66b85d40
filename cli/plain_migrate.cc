// SPDX-License-Identifier: Apache-2.0
// Migrations for people.
#include <algorithm>

#include "cli/plain.h"
#include "cli/words.h"

namespace mpol::cli {
namespace {

using control::MigrationPhase;
using control::MigrationState;

constexpr unsigned kBarWidth = 30;

std::string duration_words(uint64_t ms) {
    if (ms < 10'000) return fmt::format("{:.1f} s", static_cast<double>(ms) / 1000);
    if (ms < 120'000) return fmt::format("{} s", ms / 1000);
    return fmt::format("{} min", ms / 60'000);
}

std::string target_words(const Migration& migration) {
    if (migration.tid) return fmt::format("thread {}/{}", migration.pid, *migration.tid);
    return fmt::format("process {}", migration.pid);
}

// "512.0 MiB moved in 1.2 s, 3.0 MiB in place already"
std::string moved_words(const MigrationState& state) {
    std::string out = fmt::format("{} moved in {}", bytes_words(state.moved),
                                  duration_words(state.elapsed_ns / 1'000'000));
    if (state.placed != 0) add(out, ", {} in place already", bytes_words(state.placed));
    return out;
}

void add_failures(std::string& out, const MigrationState& state) {
    constexpr std::pair<mpol_ctl_migration_failure, std::string_view> kReasons[] = {
        {MPOL_CTL_MIGRATION_BUSY, "busy: pinned, or under I/O (EBUSY)"},
        {MPOL_CTL_MIGRATION_NO_MEMORY, "no room where they belong (ENOMEM)"},
        {MPOL_CTL_MIGRATION_SHARED, "shared with other processes, as after fork (EACCES)"},
    };
    for (const auto& [reason, words] : kReasons) {
        if (state.failed[reason] == 0) continue;
        add(out, "note: {} stayed: {}\n", bytes_words(state.failed[reason]), words);
    }
    const uint64_t others = state.failed[MPOL_CTL_MIGRATION_OTHER];
    if (others != 0) {
        add(out, "note: {} stayed: {}\n", bytes_words(others), errno_text(state.error));
    }
}

}  // namespace

std::string render(const Migration& migration) {
    const MigrationState& state = migration.state;
    const std::string whose = target_words(migration);
    if (!migration.done) {
        return fmt::format("{}: migration of {} has begun\n", whose, bytes_words(state.total));
    }
    if (state.phase == MigrationPhase::kDone && state.total == 0) {
        return fmt::format("{}: nothing to move: no policy names nodes for its heap memory\n",
                           whose);
    }
    std::string out;
    if (state.phase == MigrationPhase::kDone) {
        add(out, "{}: {}\n", whose, moved_words(state));
    } else {
        add(out, "{}: {}: {}, {} not looked at\n", whose,
            state.phase == MigrationPhase::kCancelled ? "cancelled" : "not ended yet",
            moved_words(state), bytes_words(state.remaining()));
    }
    add_failures(out, state);
    return out;
}

std::string progress_words(const Migration& migration) {
    const MigrationState& state = migration.state;
    const double share = state.total == 0 ? 0
                                          : static_cast<double>(state.total - state.remaining()) /
                                                static_cast<double>(state.total);
    const auto filled = static_cast<unsigned>(share * kBarWidth);
    std::string out = fmt::format("[{:#<{}}{:<{}}] {:3.0f} %  {} moved", "", filled, "",
                                  kBarWidth - filled, share * 100, bytes_words(state.moved));
    if (state.failed_in_all() != 0) add(out, ", {} failed", bytes_words(state.failed_in_all()));
    add(out, ", {} left", bytes_words(state.remaining()));
    if (const auto left_ms = migration.left_ms()) add(out, ", {}", duration_words(*left_ms));
    return out;
}

}  // namespace mpol::cli

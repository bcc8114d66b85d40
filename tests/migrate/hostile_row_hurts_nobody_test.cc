// SPDX-License-Identifier: Apache-2.0
// Whoever may open the segment may write the migration's row. The target goes by its own copy and
// by the kernel's checks; a reader shows nonsense as nonsense, and neither stalls.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <random>

#include "migrating.h"
#include "replay.h"

namespace mpol::test {
namespace {

// One node is enough for most of it; where there are four, pages move meanwhile.
constexpr size_t kMemory = size_t{48} << 20;
constexpr int kRounds = 200;

void overwrite(int segment, const mpol_ctl_migration& row) {
    const ssize_t done = ::pwrite(segment, &row, sizeof(row), offsetof(mpol_ctl_header, migration));
    ASSERT_EQ(done, static_cast<ssize_t>(sizeof(row)));
}

int open_segment(pid_t pid) {
    const std::string path =
        "/proc/" + std::to_string(pid) + "/fd/" + std::to_string(segment_descriptors(pid).at(0));
    return ::open(path.c_str(), O_RDWR | O_CLOEXEC);
}

}  // namespace

TEST(HostileRow, HurtsNobody) {
    std::mt19937_64 random(announced_seed());
    Migrating bench;
    control::Target target = bench.attach();
    bench.set_all(target, make_policy(Mode::kPreferred, {0}));
    const uint64_t memory = bench.allocate_imprinted(0, kMemory);
    const int segment = open_segment(bench.pid());
    for (int round = 0; round < kRounds; ++round) {
        mpol_ctl_migration row;
        uint64_t words[sizeof(row) / 8];
        for (uint64_t& word : words) word = random() >> (random() % 64);
        std::memcpy(&row, words, sizeof(row));
        // Every other one is asked for in earnest, of all memory or of a slot that may not exist.
        if (round % 2 == 0) row.word = (row.word & ~uint64_t{0xff}) | MPOL_CTL_MIGRATION_ASKED;
        if (round % 4 == 0) row.who = 0;
        overwrite(segment, row);
        target.renew_migration();
        const MigrationState state = target.migration();
        EXPECT_LE(state.remaining(), UINT64_MAX >> 8);
        EXPECT_LE(static_cast<unsigned>(state.phase), 6U);
        target.cancel_migration(state.generation);
        bench.call();
    }
    overwrite(segment, {});
    ::close(segment);
    EXPECT_EQ(migrate(target).phase, MigrationPhase::kDone);
    EXPECT_EQ(bench.mistakes(memory, kMemory), 0U);
    EXPECT_EQ(bench.finish(), 0);
}

}  // namespace mpol::test

// SPDX-License-Identifier: Apache-2.0
// What a thread mapped under its own mmap: is its own wherever it is moved, and whatever is cut
// off, mapped over or refused; what comes into its old place is not.
#include <gtest/gtest.h>
#include <linux/mman.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "workbench.h"

namespace mpol::test {
namespace {

constexpr size_t kMiB = size_t{1} << 20;
constexpr control::KindName kMmap{MPOL_CTL_KIND_MMAP, 0};

void* at(uint64_t address) {
    return reinterpret_cast<void*>(address);
}

uint64_t cut(uint64_t address, uint64_t size, std::string&) {
    return static_cast<uint64_t>(::munmap(at(address), size));
}
const Verb cut_registered("cut", cut);

// A mapping of 4 MiB.
uint64_t resize(uint64_t address, uint64_t size, std::string&) {
    return reinterpret_cast<uint64_t>(::mremap(at(address), 4 * kMiB, size, 0));
}
const Verb resize_registered("resize", resize);

uint64_t move_to(uint64_t address, uint64_t to, std::string&) {
    return reinterpret_cast<uint64_t>(
        ::mremap(at(address), 4 * kMiB, 4 * kMiB, MREMAP_MAYMOVE | MREMAP_FIXED, at(to)));
}
const Verb move_to_registered("move_to", move_to);

uint64_t move_and_stay(uint64_t address, uint64_t, std::string&) {
    return reinterpret_cast<uint64_t>(
        ::mremap(at(address), 4 * kMiB, 4 * kMiB, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, nullptr));
}
const Verb move_and_stay_registered("move_and_stay", move_and_stay);

uint64_t raw_move(uint64_t address, uint64_t to, std::string&) {
    return static_cast<uint64_t>(
        ::syscall(SYS_mremap, address, 4 * kMiB, 4 * kMiB, MREMAP_MAYMOVE | MREMAP_FIXED, to));
}
const Verb raw_move_registered("raw_move", raw_move);

uint64_t fill_hole(uint64_t address, uint64_t size, std::string&) {
    return static_cast<uint64_t>(::syscall(SYS_mmap, address, size, PROT_READ | PROT_WRITE,
                                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
                                           0));
}
const Verb fill_hole_registered("fill_hole", fill_hole);

// Room to move to, as nobody's.
uint64_t reserve(uint64_t size, uint64_t, std::string&) {
    return static_cast<uint64_t>(
        ::syscall(SYS_mmap, nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}
const Verb reserve_registered("reserve", reserve);

// A worker's mapping of 4 MiB under bind:0; then the process is rewritten to prefer:0, and the
// worker to interleave:0.
struct Bench : Workbench {
    unsigned worker = start_thread(0);
    control::Target target = attach();
    uint64_t placed = 0;

    Bench() {
        set_own_kind(target, kMmap, bind_to({0}), worker);
        placed = map(worker, 4 * kMiB);
    }
    void rewrite() {
        set_kind(target, kMmap, make_policy(Mode::kPreferred, {0}));
        set_own_kind(target, kMmap, make_policy(Mode::kInterleave, {0}), worker);
    }
    void expect_own(uint64_t address) {
        EXPECT_EQ(policy_at(pid(), address), "interleave:0") << (address - placed) / kMiB;
    }
    void expect_processs(uint64_t address) {
        EXPECT_EQ(policy_at(pid(), address), "prefer:0") << (address - placed) / kMiB;
    }
};

}  // namespace

TEST(PartsOfWhatAThreadPlaced, AreItsOwnWhenAnEndIsCutOff) {
    for (const uint64_t cut_off : {0, 1, 3}) {
        Bench bench;
        ASSERT_EQ(bench.run(0, "cut", bench.placed + cut_off * kMiB, kMiB), 0U);
        ASSERT_NE(bench.run(0, "fill_hole", bench.placed + cut_off * kMiB, kMiB), ~uint64_t{0});
        bench.rewrite();
        for (uint64_t part = 0; part < 4; ++part) {
            const uint64_t address = bench.placed + part * kMiB;
            part == cut_off ? bench.expect_processs(address) : bench.expect_own(address);
        }
        EXPECT_EQ(bench.finish(), 0);
    }
}

TEST(PartsOfWhatAThreadPlaced, AreItsOwnWhereItShrinks) {
    Bench bench;
    ASSERT_EQ(bench.run(0, "resize", bench.placed, kMiB), bench.placed);
    ASSERT_EQ(bench.run(0, "fill_hole", bench.placed + kMiB, kMiB), bench.placed + kMiB);
    bench.rewrite();
    bench.expect_own(bench.placed);
    bench.expect_processs(bench.placed + kMiB);
    EXPECT_EQ(bench.finish(), 0);
}

// One call may shrink over the end of a mapping.
TEST(PartsOfWhatAThreadPlaced, LeaveTheirNeighboursAloneWhereTheyShrink) {
    Bench bench;
    ASSERT_EQ(bench.run(0, "cut", bench.placed + 2 * kMiB, 2 * kMiB), 0U);
    ASSERT_EQ(bench.run(0, "fill_hole", bench.placed + 2 * kMiB, 2 * kMiB),
              bench.placed + 2 * kMiB);
    ASSERT_EQ(bench.run(0, "resize", bench.placed, 3 * kMiB), bench.placed);
    bench.rewrite();
    bench.expect_own(bench.placed);
    bench.expect_processs(bench.placed + 2 * kMiB);
    EXPECT_EQ(bench.finish(), 0);
}

TEST(PartsOfWhatAThreadPlaced, AreItsOwnWhenItCanNotGrow) {
    Bench bench;
    ASSERT_EQ(bench.run(0, "cut", bench.placed + 4 * kMiB, 0), ~uint64_t{0}) << "EINVAL";
    ASSERT_EQ(bench.run(0, "cut", bench.placed + 1, kMiB), ~uint64_t{0}) << "EINVAL";
    ASSERT_EQ(bench.run(0, "resize", bench.placed, uint64_t{1} << 46), ~uint64_t{0}) << "ENOMEM";
    bench.rewrite();
    for (uint64_t part = 0; part < 4; ++part) bench.expect_own(bench.placed + part * kMiB);
    EXPECT_EQ(bench.finish(), 0);
}

TEST(PartsOfWhatAThreadPlaced, AreItsOwnWhereItIsMovedTo) {
    Bench bench;
    const uint64_t to = bench.run(0, "reserve", 4 * kMiB);
    ASSERT_EQ(bench.run(0, "move_to", bench.placed, to), to);
    ASSERT_EQ(bench.run(0, "fill_hole", bench.placed, 4 * kMiB), bench.placed);
    bench.rewrite();
    bench.expect_own(to);
    bench.expect_own(to + 3 * kMiB);
    bench.expect_processs(bench.placed);
    EXPECT_EQ(bench.finish(), 0);
}

TEST(PartsOfWhatAThreadPlaced, AreItsOwnInBothPlacesOfAMoveThatLeavesTheFirst) {
    Bench bench;
    const uint64_t to = bench.run(0, "move_and_stay", bench.placed);
    if (to == ~uint64_t{0}) GTEST_SKIP() << "MREMAP_DONTUNMAP came with Linux 5.7";
    bench.rewrite();
    bench.expect_own(to);
    bench.expect_own(bench.placed);
    EXPECT_EQ(bench.finish(), 0);
}

// The kernel moves the policy along; that the mapping is the thread's own nobody sees.
TEST(PartsOfWhatAThreadPlaced, AreTheProcesssWhereARawCallMovesThem) {
    Bench bench;
    const uint64_t to = bench.run(0, "reserve", 4 * kMiB);
    ASSERT_EQ(bench.run(0, "raw_move", bench.placed, to), to);
    EXPECT_EQ(policy_at(bench.pid(), to), "bind:0");
    bench.rewrite();
    bench.expect_processs(to);
    // What is mapped in the old place by such a call is foreign, what the thread maps there its
    // own.
    ASSERT_EQ(bench.run(0, "fill_hole", bench.placed, 4 * kMiB), bench.placed);
    bench.rewrite();
    bench.expect_processs(bench.placed);
    EXPECT_EQ(bench.finish(), 0);
}

}  // namespace mpol::test

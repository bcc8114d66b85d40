// SPDX-License-Identifier: Apache-2.0
// What a thread mapped under its own mmap:, and the stacks of threads that it created under its own
// stack:, follow rewrites of the thread's own and no others; while it lives, and has such a policy.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "workbench.h"

namespace mpol::test {
namespace {

constexpr size_t kMiB = size_t{1} << 20;
constexpr control::KindName kMmap{MPOL_CTL_KIND_MMAP, 0};
constexpr control::KindName kStack{MPOL_CTL_KIND_STACK, 0};
constexpr int kAnonymous = MAP_PRIVATE | MAP_ANONYMOUS;
constexpr int kReadWrite = PROT_READ | PROT_WRITE;

void* at(uint64_t address) {
    return reinterpret_cast<void*>(address);
}

uint64_t unmap(uint64_t address, uint64_t size, std::string&) {
    return static_cast<uint64_t>(::munmap(at(address), size));
}
const Verb unmap_registered("unmap", unmap);

uint64_t raw_unmap(uint64_t address, uint64_t size, std::string&) {
    return static_cast<uint64_t>(::syscall(SYS_munmap, address, size));
}
const Verb raw_unmap_registered("raw_unmap", raw_unmap);

uint64_t raw_map_at(uint64_t address, uint64_t size, std::string&) {
    return static_cast<uint64_t>(
        ::syscall(SYS_mmap, address, size, kReadWrite, kAnonymous | MAP_FIXED_NOREPLACE, -1, 0));
}
const Verb raw_map_at_registered("raw_map_at", raw_map_at);

uint64_t map_over(uint64_t address, uint64_t size, std::string&) {
    return reinterpret_cast<uint64_t>(
        ::mmap(at(address), size, kReadWrite, kAnonymous | MAP_FIXED, -1, 0));
}
const Verb map_over_registered("map_over", map_over);

// From one MiB to as many as given, wherever they fit.
uint64_t grow(uint64_t address, uint64_t size, std::string&) {
    return reinterpret_cast<uint64_t>(::mremap(at(address), kMiB, size, MREMAP_MAYMOVE));
}
const Verb grow_registered("grow", grow);

uint64_t make_read_only(uint64_t address, uint64_t size, std::string&) {
    return static_cast<uint64_t>(::mprotect(at(address), size, PROT_READ));
}
const Verb make_read_only_registered("make_read_only", make_read_only);

uint64_t stack_address(uint64_t, uint64_t, std::string&) {
    return reinterpret_cast<uint64_t>(__builtin_frame_address(0));
}
const Verb stack_address_registered("stack_address", stack_address);

// As many pages as given, none next to another. The first one.
uint64_t map_apart(uint64_t count, uint64_t, std::string&) {
    constexpr uint64_t kStride = 2 * 4096;
    const auto room = static_cast<uint64_t>(
        ::syscall(SYS_mmap, nullptr, count * kStride, PROT_NONE, kAnonymous, -1, 0));
    for (uint64_t i = 0; i < count; ++i) {
        ::mmap(at(room + i * kStride), 4096, kReadWrite, kAnonymous | MAP_FIXED, -1, 0);
    }
    return room;
}
const Verb map_apart_registered("map_apart", map_apart);

Policy prefer() {
    return make_policy(Mode::kPreferred, {0});
}
Policy interleave() {
    return make_policy(Mode::kInterleave, {0});
}

// A worker with a policy of its own for the kind, and the process.
struct Bench : Workbench {
    unsigned worker = start_thread(0);
    control::Target target = attach();

    std::string policy(uint64_t address) { return policy_at(pid(), address); }
    void own(const control::KindName& kind, const std::optional<Policy>& policy) {
        set_own_kind(target, kind, policy, worker);
    }
    void all(const control::KindName& kind, const std::optional<Policy>& policy) {
        set_kind(target, kind, policy);
    }
    uint64_t stack_of(unsigned thread) { return run(thread, "stack_address"); }
};

}  // namespace

TEST(PlacedByAThread, MappingsFollowItsOwnRewritesOnly) {
    Bench bench;
    bench.own(kMmap, bind_to({0}));
    const uint64_t placed = bench.map(bench.worker, kMiB);
    const uint64_t others = bench.map(0, kMiB);
    bench.all(kMmap, prefer());
    EXPECT_EQ(bench.policy(placed), "bind:0");
    EXPECT_EQ(bench.policy(others), "prefer:0");
    bench.own(kMmap, interleave());
    EXPECT_EQ(bench.policy(placed), "interleave:0");
    EXPECT_EQ(bench.policy(others), "prefer:0");
    bench.all(kMmap, std::nullopt);
    EXPECT_EQ(bench.policy(placed), "interleave:0");
    EXPECT_EQ(bench.policy(others), "default");
    EXPECT_EQ(bench.finish(), 0);
}

TEST(PlacedByAThread, MappingsAreToldFromTheProcesssUnderTheSamePolicy) {
    Bench bench;
    bench.all(kMmap, bind_to({0}));
    const uint64_t others = bench.map(bench.worker, kMiB);
    bench.own(kMmap, bind_to({0}));
    const uint64_t placed = bench.map(bench.worker, kMiB);
    bench.all(kMmap, prefer());
    EXPECT_EQ(bench.policy(placed), "bind:0");
    EXPECT_EQ(bench.policy(others), "prefer:0") << "there before";
    bench.own(kMmap, interleave());
    EXPECT_EQ(bench.policy(placed), "interleave:0");
    EXPECT_EQ(bench.policy(others), "prefer:0");
    EXPECT_EQ(bench.finish(), 0);
}

TEST(PlacedByAThread, ItsDefaultIsKeptToo) {
    Bench bench;
    bench.own(kMmap, make_policy(Mode::kDefault, {}));
    const uint64_t placed = bench.map(bench.worker, kMiB);
    bench.all(kMmap, prefer());
    EXPECT_EQ(bench.policy(placed), "default");
    bench.own(kMmap, bind_to({0}));
    EXPECT_EQ(bench.policy(placed), "bind:0");
    EXPECT_EQ(bench.finish(), 0);
}

TEST(PlacedByAThread, TakenBackItIsTheProcesss) {
    Bench bench;
    bench.own(kMmap, bind_to({0}));
    bench.own(kStack, bind_to({0}));
    const uint64_t placed = bench.map(bench.worker, kMiB);
    const uint64_t stack = bench.stack_of(bench.start_thread(bench.worker));
    bench.all(kMmap, prefer());
    bench.own(kMmap, std::nullopt);
    bench.own(kStack, std::nullopt);
    EXPECT_EQ(bench.policy(placed), "prefer:0");
    EXPECT_EQ(bench.policy(stack), "default");
    bench.all(kMmap, interleave());
    bench.all(kStack, interleave());
    EXPECT_EQ(bench.policy(placed), "interleave:0");
    EXPECT_EQ(bench.policy(stack), "interleave:0");
    bench.own(kMmap, bind_to({0}));
    EXPECT_EQ(bench.policy(placed), "interleave:0") << "the process's now";
    EXPECT_EQ(bench.finish(), 0);
}

TEST(PlacedByAThread, OnceItIsGoneIsTheProcesss) {
    Bench bench;
    bench.own(kMmap, bind_to({0}));
    bench.own(kStack, bind_to({0}));
    const uint64_t placed = bench.map(bench.worker, kMiB);
    const uint64_t stack = bench.stack_of(bench.start_thread(bench.worker));
    bench.end_thread(bench.worker);
    EXPECT_EQ(bench.policy(placed), "bind:0");
    bench.all(kMmap, prefer());
    bench.all(kStack, prefer());
    EXPECT_EQ(bench.policy(placed), "prefer:0");
    EXPECT_EQ(bench.policy(stack), "prefer:0");
    EXPECT_EQ(bench.finish(), 0);
}

TEST(PlacedByAThread, StacksFollowTheirCreatorsRewritesOnly) {
    Bench bench;
    bench.own(kStack, bind_to({0}));
    const uint64_t placed = bench.stack_of(bench.start_thread(bench.worker));
    const uint64_t others = bench.stack_of(bench.start_thread(0));
    bench.all(kStack, prefer());
    EXPECT_EQ(bench.policy(placed), "bind:0");
    EXPECT_EQ(bench.policy(others), "prefer:0");
    bench.all(kMmap, prefer());
    EXPECT_EQ(bench.policy(placed), "bind:0");
    bench.own(kStack, interleave());
    EXPECT_EQ(bench.policy(placed), "interleave:0");
    EXPECT_EQ(bench.policy(others), "prefer:0");
    EXPECT_EQ(bench.policy(bench.stack_of(bench.worker)), "prefer:0") << "its own";
    EXPECT_EQ(bench.finish(), 0);
}

// Its stack waits in the C library for the next thread.
TEST(PlacedByAThread, StackOfAnEndedThreadIsItsNextThreads) {
    Bench bench;
    bench.own(kStack, bind_to({0}));
    bench.end_thread(bench.start_thread(bench.worker));
    const uint64_t stack = bench.stack_of(bench.start_thread(0));
    EXPECT_EQ(bench.policy(stack), "default");
    bench.own(kStack, interleave());
    EXPECT_EQ(bench.policy(stack), "default");
    bench.all(kStack, prefer());
    EXPECT_EQ(bench.policy(stack), "prefer:0");
    EXPECT_EQ(bench.finish(), 0);
}

TEST(PlacedByAThread, PartsStayWhatTheyAre) {
    Bench bench;
    bench.own(kMmap, bind_to({0}));
    const uint64_t placed = bench.map(bench.worker, 4 * kMiB);
    ASSERT_EQ(bench.run(0, "make_read_only", placed + kMiB, kMiB), 0U);
    ASSERT_EQ(bench.run(0, "map_over", placed + 2 * kMiB, kMiB), placed + 2 * kMiB);
    bench.all(kMmap, prefer());
    bench.own(kMmap, interleave());
    for (const uint64_t part : {0, 1, 3}) {
        EXPECT_EQ(bench.policy(placed + part * kMiB), "interleave:0") << part;
    }
    EXPECT_EQ(bench.policy(placed + 2 * kMiB), "prefer:0") << "the main thread's";
    EXPECT_EQ(bench.finish(), 0);
}

// As docs/semantics.md has it.
TEST(PlacedByAThread, FourThousandAndNinetySixAreKept) {
    constexpr uint64_t kKept = 4096;
    Bench bench;
    bench.own(kMmap, bind_to({0}));
    const uint64_t first = bench.run(bench.worker, "map_apart", kKept + 1);
    const uint64_t last = first + kKept * 8192;
    EXPECT_EQ(bench.policy(last), "bind:0");
    bench.all(kMmap, prefer());
    EXPECT_EQ(bench.policy(first), "bind:0");
    EXPECT_EQ(bench.policy(last - 8192), "bind:0");
    EXPECT_EQ(bench.policy(last), "prefer:0");
    const auto errors = bench.target.errors();
    ASSERT_EQ(errors.size(), 1U);
    EXPECT_EQ(errors[0].code, MPOL_CTL_ERROR_PLACED);
    EXPECT_EQ(bench.finish(), 0);
}

TEST(PlacedByAThread, ForeignMemoryInItsPlaceIsForeign) {
    for (const char* const unmap : {"unmap", "raw_unmap"}) {
        Bench bench;
        bench.own(kMmap, bind_to({0}));
        const uint64_t placed = bench.map(bench.worker, 3 * kMiB);
        ASSERT_EQ(bench.run(0, unmap, placed + kMiB, kMiB), 0U);
        ASSERT_EQ(bench.run(0, "raw_map_at", placed + kMiB, kMiB), placed + kMiB);
        bench.own(kMmap, interleave());
        EXPECT_EQ(bench.policy(placed), "interleave:0");
        EXPECT_EQ(bench.policy(placed + kMiB), "default") << unmap;
        EXPECT_EQ(bench.policy(placed + 2 * kMiB), "interleave:0");
        bench.all(kMmap, prefer());
        EXPECT_EQ(bench.policy(placed + kMiB), "prefer:0") << unmap;
        EXPECT_EQ(bench.policy(placed + 2 * kMiB), "interleave:0");
        EXPECT_EQ(bench.finish(), 0);
    }
}

TEST(PlacedByAThread, StaysWithItWhenItMoves) {
    Bench bench;
    bench.own(kMmap, bind_to({0}));
    const uint64_t first = bench.map(bench.worker, kMiB);
    bench.map(bench.worker, kMiB);  // in its way, or below it
    const uint64_t moved = bench.run(0, "grow", first, 8 * kMiB);
    ASSERT_NE(moved, first);
    ASSERT_EQ(bench.run(0, "raw_map_at", first, kMiB), first);
    bench.all(kMmap, prefer());
    EXPECT_EQ(bench.policy(moved), "bind:0");
    EXPECT_EQ(bench.policy(moved + 7 * kMiB), "bind:0") << "grown";
    EXPECT_EQ(bench.policy(first), "prefer:0") << "where it was";
    bench.own(kMmap, interleave());
    EXPECT_EQ(bench.policy(moved + 7 * kMiB), "interleave:0");
    EXPECT_EQ(bench.policy(first), "prefer:0");
    EXPECT_EQ(bench.finish(), 0);
}

}  // namespace mpol::test

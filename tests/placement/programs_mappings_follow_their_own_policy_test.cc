// SPDX-License-Identifier: Apache-2.0
// mmap:bind:3 beside bind:0 for the process: what the program maps itself, before and after, over
// what it had reserved, and past the C library; the rest of its memory stays as it is.
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "placement.h"

namespace mpol::test {

using MappingPlacement = FourNodes;

namespace {

constexpr control::KindName kMmap{MPOL_CTL_KIND_MMAP, 0};
constexpr int kAnonymous = MAP_PRIVATE | MAP_ANONYMOUS;

// What Go's runtime does.
uint64_t raw_mmap(uint64_t size, uint64_t, std::string&) {
    return static_cast<uint64_t>(
        ::syscall(SYS_mmap, nullptr, size, PROT_READ | PROT_WRITE, kAnonymous, -1, 0));
}
const Verb raw_mmap_registered("raw_mmap", raw_mmap);

// What a JVM does: reserve, then commit piece by piece.
uint64_t reserve(uint64_t size, uint64_t, std::string&) {
    return reinterpret_cast<uint64_t>(
        ::mmap(nullptr, size, PROT_NONE, kAnonymous | MAP_NORESERVE, -1, 0));
}
const Verb reserve_registered("reserve", reserve);

uint64_t commit(uint64_t address, uint64_t size, std::string&) {
    return reinterpret_cast<uint64_t>(::mmap(reinterpret_cast<void*>(address), size,
                                             PROT_READ | PROT_WRITE, kAnonymous | MAP_FIXED, -1,
                                             0));
}
const Verb commit_registered("commit", commit);

char uninitialised[4 << 20];
uint64_t data_address(uint64_t, uint64_t, std::string&) {
    return (reinterpret_cast<uint64_t>(uninitialised) + kPage) & ~(kPage - 1);
}
const Verb data_registered("data_address", data_address);

}  // namespace

TEST_F(MappingPlacement, DiffersFromTheRest) {
    Placed bench;
    const unsigned worker = bench.start_thread(0);
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({0}), {0, worker});
    const uint64_t before = bench.map(0, kLarge);
    bench.set_kind(target, kMmap, bind_to({3}));
    EXPECT_TRUE(only_on(bench.fault(0, before, kLarge), NodeMask::of(3))) << "there already";
    for (const unsigned thread : {0U, worker}) {
        EXPECT_TRUE(only_on(bench.fault_mapped(thread, kLarge), NodeMask::of(3)));
        EXPECT_TRUE(only_on(bench.fault_new(thread, kLarge), NodeMask::of(0))) << "malloc";
        EXPECT_TRUE(only_on(bench.fault_stack(thread, kPage * 32), NodeMask::of(0)));
    }
    const uint64_t data = bench.run(0, "data_address");
    EXPECT_TRUE(only_on(bench.fault(0, data, size_t{2} << 20), NodeMask::of(0))) << "the program's";
}

TEST_F(MappingPlacement, HoldsOverFixedMappings) {
    Placed bench;
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({0}));
    const uint64_t heap = bench.run(0, "reserve", 4 * kLarge);
    bench.set_kind(target, kMmap, bind_to({3}));
    ASSERT_EQ(bench.run(0, "commit", heap + kLarge, kLarge), heap + kLarge);
    EXPECT_TRUE(only_on(bench.fault(0, heap + kLarge, kLarge), NodeMask::of(3)));
    bench.set_kind(target, kMmap, bind_to({2}));
    ASSERT_EQ(bench.run(0, "commit", heap + 2 * kLarge, kLarge), heap + 2 * kLarge);
    EXPECT_TRUE(only_on(bench.fault(0, heap + 2 * kLarge, kLarge), NodeMask::of(2)));
    EXPECT_TRUE(only_on(bench.nodes(heap + kLarge, kLarge), NodeMask::of(3))) << "touched";
}

TEST_F(MappingPlacement, ReachesRawSystemCallsAtEachRewrite) {
    Placed bench;
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({0}));
    const uint64_t raw = bench.run(0, "raw_mmap", 2 * kLarge);
    bench.set_kind(target, kMmap, bind_to({3}));
    EXPECT_TRUE(only_on(bench.fault(0, raw, kLarge), NodeMask::of(3)));
    const uint64_t later = bench.run(0, "raw_mmap", 2 * kLarge);
    bench.set_kind(target, kMmap, bind_to({2}));
    EXPECT_TRUE(only_on(bench.fault(0, raw + kLarge, kLarge), NodeMask::of(2)));
    EXPECT_TRUE(only_on(bench.fault(0, later, kLarge), NodeMask::of(2)));
}

TEST_F(MappingPlacement, FollowsTheTaskPolicyOnceTakenBack) {
    Placed bench;
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({0}));
    const uint64_t own = bench.map(0, kLarge);
    bench.set_kind(target, kMmap, bind_to({3}));
    ASSERT_EQ(bench.own_mbind(own, kLarge, bind_to({1})), 0);
    const uint64_t mapped = bench.map(0, kLarge);
    bench.set_kind(target, kMmap, std::nullopt);
    EXPECT_TRUE(only_on(bench.fault(0, mapped, kLarge), NodeMask::of(0)));
    EXPECT_TRUE(only_on(bench.fault_mapped(0, kLarge), NodeMask::of(0)));
    EXPECT_TRUE(only_on(bench.fault(0, own, kLarge), NodeMask::of(1))) << "the program's own mbind";
}

}  // namespace mpol::test

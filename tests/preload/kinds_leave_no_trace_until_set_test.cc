// SPDX-License-Identifier: Apache-2.0
// Without a policy of a kind nothing is bound, its rows are no memory, and large allocations lie
// where all others do. After one was set and taken back, it is as before.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "workbench.h"

namespace mpol::test {
namespace {

constexpr size_t kMiB = size_t{1} << 20;

// Bytes of the segment that are memory.
uint64_t resident_bytes(pid_t pid) {
    struct stat status {};
    const int fd = segment_descriptors(pid).at(0);
    ::stat(("/proc/" + std::to_string(pid) + "/fd/" + std::to_string(fd)).c_str(), &status);
    return static_cast<uint64_t>(status.st_blocks) * 512;
}

bool anything_bound(pid_t pid) {
    std::ifstream maps("/proc/" + std::to_string(pid) + "/numa_maps");
    for (std::string line; std::getline(maps, line);) {
        if (line.find(" default") == std::string::npos) return true;
    }
    return false;
}

}  // namespace

TEST(Kinds, LeaveNoTraceUntilSet) {
    Workbench bench;
    bench.start_thread(0);
    control::Target target = bench.attach();
    const uint64_t before = resident_bytes(bench.pid());
    EXPECT_TRUE(in_regions(target, bench.allocate(0, 64 * kMiB), 0));
    bench.map(0, kMiB);
    EXPECT_FALSE(anything_bound(bench.pid()));
    EXPECT_TRUE(target.kinds().empty());
    EXPECT_EQ(resident_bytes(bench.pid()), before);
    EXPECT_EQ(bench.finish(), 0);
}

TEST(Kinds, LeaveNoTraceOnceTakenBack) {
    Workbench bench;
    bench.start_thread(0);
    control::Target target = bench.attach();
    const control::KindName kinds[] = {
        {MPOL_CTL_KIND_LARGE, kMiB}, {MPOL_CTL_KIND_STACK, 0}, {MPOL_CTL_KIND_MMAP, 0}};
    for (const control::KindName& kind : kinds) bench.set_kind(target, kind, bind_to({0}));
    bench.allocate(0, 8 * kMiB);
    bench.map(0, kMiB);
    EXPECT_TRUE(anything_bound(bench.pid()));
    for (const control::KindName& kind : kinds) bench.set_kind(target, kind, std::nullopt);
    EXPECT_FALSE(anything_bound(bench.pid()));
    EXPECT_TRUE(in_regions(target, bench.allocate(0, 8 * kMiB), 0));
    EXPECT_EQ(bench.finish(), 0);
}

}  // namespace mpol::test

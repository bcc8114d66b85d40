// SPDX-License-Identifier: Apache-2.0
// Every allocator function takes large allocations from the kind's regions, wherever the threshold
// lies; their contents survive crossing it; many threads may do so while it is rewritten.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>

#include "workbench.h"

namespace mpol::test {
namespace {

constexpr size_t kMiB = size_t{1} << 20;
constexpr control::KindName kLarge{MPOL_CTL_KIND_LARGE, kMiB};

uint64_t aligned(uint64_t size, uint64_t alignment, std::string&) {
    void* memory = nullptr;
    return posix_memalign(&memory, alignment, size) == 0 ? reinterpret_cast<uint64_t>(memory) : 0;
}
const Verb aligned_registered("aligned", aligned);

// Blocks that grow and shrink across the threshold; the number of those whose bytes got lost.
uint64_t churn(uint64_t rounds, uint64_t, std::string&) {
    uint64_t lost = 0;
    unsigned seed = 1;
    for (uint64_t i = 0; i < rounds; ++i) {
        const size_t first = static_cast<size_t>(rand_r(&seed)) % (3 * kMiB) + 1;
        const size_t second = static_cast<size_t>(rand_r(&seed)) % (3 * kMiB) + 1;
        auto* block = static_cast<char*>(std::malloc(first));
        block[0] = block[first - 1] = static_cast<char>(i);
        block = static_cast<char*>(std::realloc(block, second));
        if (block[0] != static_cast<char>(i)) ++lost;
        if (second >= first && block[first - 1] != static_cast<char>(i)) ++lost;
        std::free(block);
    }
    return lost;
}
const Verb churn_registered("churn", churn);

}  // namespace

TEST(Large, ComesFromItsOwnRegionsByEveryFunction) {
    Workbench bench;
    control::Target target = bench.attach();
    bench.set_kind(target, kLarge, bind_to({0}));
    const uint64_t small = bench.allocate(0, kMiB / 2);
    EXPECT_TRUE(in_regions(target, small, 0));
    const uint64_t blocks[] = {bench.allocate(0, kMiB),
                               bench.allocate_zeroed(0, kMiB),
                               bench.run(0, "aligned", kMiB, 4096),
                               bench.run(0, "aligned", kMiB, 2 * kMiB),
                               bench.run(0, "realloc", small, kMiB),
                               bench.run(0, "realloc", 0, kMiB)};
    for (const uint64_t block : blocks) {
        EXPECT_FALSE(in_regions(target, block, 0));
        EXPECT_EQ(policy_at(bench.pid(), block), "bind:0");
        bench.release(0, block);
    }
    EXPECT_EQ(policy_at(bench.pid(), bench.allocate(0, kMiB - 1)), "default");
    EXPECT_EQ(target.counter(MPOL_CTL_SCOPES), 0U) << "no thread has a scope";
    EXPECT_EQ(bench.finish(), 0);
}

TEST(Large, CrossesTheThresholdWithItsContents) {
    Workbench bench;
    const unsigned worker = bench.start_thread(0);
    control::Target target = bench.attach();
    bench.set_kind(target, kLarge, bind_to({0}));
    EXPECT_EQ(bench.run(0, "churn", 300), 0U);
    bench.set_one(target, bind_to({0}), worker);  // From now on frees look for the owner.
    for (const size_t threshold : {kMiB, 2 * kMiB, size_t{64} << 10}) {
        bench.set_kind(target, {MPOL_CTL_KIND_LARGE, threshold}, bind_to({0}));
        EXPECT_EQ(bench.run(0, "churn", 100), 0U);
        EXPECT_EQ(bench.run(worker, "churn", 100), 0U);
    }
    bench.set_kind(target, kLarge, std::nullopt);
    EXPECT_EQ(bench.run(0, "churn", 100), 0U);
    EXPECT_EQ(bench.finish(), 0);
}

}  // namespace mpol::test

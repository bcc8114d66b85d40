// SPDX-License-Identifier: Apache-2.0
// 64 GiB under weights of one's own, none of it touched: at most 1,000 mappings more; and they are
// one again under a plain policy.
#include <fstream>

#include "weights.h"

namespace mpol::test {
namespace {

size_t mappings(pid_t pid) {
    std::ifstream maps("/proc/" + std::to_string(pid) + "/maps");
    size_t count = 0;
    for (std::string line; std::getline(maps, line);) ++count;
    return count;
}

}  // namespace

using WeightedMappings = FourNodes;

TEST_F(WeightedMappings, AreFewerThanAThousandFor64Gib) {
    Placed bench;
    control::Target target = bench.attach();
    const size_t before = mappings(bench.pid());
    bench.set_all(target, weighted({5, 3, 2, 1}));
    for (int i = 0; i < 64; ++i) bench.allocate(0, kGib);
    const size_t after = mappings(bench.pid());
    std::cout << after - before << " mappings more" << std::endl;
    EXPECT_GT(after, before + 100);
    EXPECT_LE(after, before + 1000);
    EXPECT_EQ(find_error(target.errors(), MPOL_CTL_ERROR_WEIGHTS), nullptr);

    bench.set_all(target, make_policy(Mode::kInterleave, {0, 1, 2, 3}));
    EXPECT_LE(mappings(bench.pid()), before + 50);
}

// Each thread with a policy of its own has a heap of its own; half of vm.max_map_count is for all.
TEST_F(WeightedMappings, OfManyThreadsLeaveTheProgramItsHalf) {
    constexpr unsigned kThreads = 60;
    Placed bench;
    control::Target target = bench.attach();
    std::vector<unsigned> threads;
    for (unsigned i = 0; i < kThreads; ++i) threads.push_back(bench.start_thread(0));
    const size_t before = mappings(bench.pid());
    for (const unsigned thread : threads) {
        bench.set_one(target, weighted({5, 3, 2, 1}), thread);
        bench.allocate(thread, kLarge);
    }
    const size_t after = mappings(bench.pid());
    std::cout << after - before << " mappings more for " << kThreads << " threads" << std::endl;
    EXPECT_LE(after - before, 32768);
    EXPECT_EQ(find_error(target.errors(), MPOL_CTL_ERROR_WEIGHTS), nullptr);
}

}  // namespace mpol::test

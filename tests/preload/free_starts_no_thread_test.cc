// SPDX-License-Identifier: Apache-2.0
// The C library frees the blocks of thread stacks while it holds the lock that pthread_create takes:
// a free that started a thread would wait for itself.
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>

#include "workbench.h"

namespace mpol::test {
namespace {

// No cache takes them, so each free looks what is new, or counts towards such a look; and together
// they are within what a heap begins with.
constexpr size_t kBlock = size_t{40} << 10;
std::array<void*, 300> blocks;

uint64_t allocate_blocks_verb(uint64_t, uint64_t, std::string&) {
    for (void*& block : blocks) block = std::malloc(kBlock);
    return 0;
}
const Verb allocate_registered("allocate-blocks", allocate_blocks_verb);

uint64_t free_blocks_verb(uint64_t, uint64_t, std::string&) {
    for (void* const block : blocks) std::free(block);
    return 0;
}
const Verb free_registered("free-blocks", free_blocks_verb);

}  // namespace

TEST(Free, StartsNoThread) {
    Workbench bench;
    bench.run(0, "allocate-blocks");
    ASSERT_EQ(tasks(bench.pid()).size(), 1U);
    control::Target target = bench.attach();
    const uint64_t generation = set_process(target, bind_to({0}));
    bench.run(0, "free-blocks");
    EXPECT_EQ(tasks(bench.pid()).size(), 1U);
    bench.call();
    EXPECT_GT(tasks(bench.pid()).size(), 1U) << "the next allocation does not start the helper either";
    EXPECT_TRUE(target.wait_process(generation, kWaitMs));
}

}  // namespace mpol::test

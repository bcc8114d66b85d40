// SPDX-License-Identifier: Apache-2.0
// Memory that comes back to a PolicyResource goes back to the kernel, all of its mapping; and what
// never came back, with the resource.
#include <gtest/gtest.h>

#include <memory_resource>
#include <mpol/pmr.hpp>
#include <optional>
#include <vector>

#include "own_memory.h"

namespace mpol::test {
namespace {

using pmr::PolicyResource;

constexpr size_t kMiB = size_t{1} << 20;

TEST(Chunks, AreUnmappedWhenGivenBack) {
    PolicyResource resource(kBind0);
    char* const first = static_cast<char*>(resource.allocate(3 * kMiB));
    char* const second = static_cast<char*>(resource.allocate(5'000));
    EXPECT_TRUE(is_mapped(first + 3 * kMiB - 1));
    resource.deallocate(first, 3 * kMiB);
    EXPECT_FALSE(is_mapped(first));
    EXPECT_FALSE(is_mapped(first + 3 * kMiB - 1));
    EXPECT_TRUE(is_mapped(second + 4'999));
    resource.deallocate(second, 5'000);
    EXPECT_FALSE(is_mapped(second + 4'999));
}

TEST(Chunks, TakeNoMoreThanTheirPagesHoweverAligned) {
    PolicyResource resource(kBind0);
    const auto allocated = [&](size_t size, size_t alignment) {
        const size_t before = mapped_bytes();
        void* const memory = resource.allocate(size, alignment);
        const size_t grown = mapped_bytes() - before;
        resource.deallocate(memory, size, alignment);
        EXPECT_EQ(mapped_bytes(), before) << size << " by " << alignment;
        return grown;
    };
    (void)allocated(1, 1);  // What the heap grows by at the first time.
    for (const size_t alignment : {size_t{16}, 2 * kMiB, 8 * kMiB, 64 * kMiB}) {
        EXPECT_EQ(allocated(kMiB, alignment), kMiB) << alignment;
        EXPECT_EQ(allocated(kMiB + 1, alignment), kMiB + 4096) << alignment;
    }
}

TEST(Chunks, OfAPoolAreUnmappedWhenItReleases) {
    PolicyResource resource(kBind0);
    std::pmr::unsynchronized_pool_resource pool(&resource);
    void* const small = pool.allocate(64);
    void* const large = pool.allocate(64 * kMiB);
    EXPECT_TRUE(is_mapped(small) && is_mapped(large));
    pool.release();
    EXPECT_FALSE(is_mapped(small) || is_mapped(large));
}

TEST(Chunks, ThatNeverCameBackGoWithTheResource) {
    std::optional<PolicyResource> resource(std::in_place, kBind0);
    std::vector<void*> all;
    for (int i = 0; i < 10; ++i) all.push_back(resource->allocate(kMiB));
    for (void* const memory : all) EXPECT_TRUE(is_mapped(memory));
    resource.reset();
    for (void* const memory : all) EXPECT_FALSE(is_mapped(memory));
}

}  // namespace
}  // namespace mpol::test

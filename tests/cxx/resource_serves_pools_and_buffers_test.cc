// SPDX-License-Identifier: Apache-2.0
// mpol::pmr::PolicyResource as an upstream: what stands on top has memory under its policy, aligned
// as asked for, and follows when the policy is rewritten.
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <list>
#include <memory_resource>
#include <mpol/pmr.hpp>
#include <new>
#include <numeric>
#include <string>
#include <unordered_map>
#include <vector>

#include "own_memory.h"

namespace mpol::test {
namespace {

using pmr::PolicyResource;

constexpr size_t kMiB = size_t{1} << 20;

using ResourceAsUpstream = OwnMemory;

TEST_F(ResourceAsUpstream, OfAPool) {
    PolicyResource resource(kBind0);
    std::pmr::synchronized_pool_resource pool(&resource);
    std::pmr::unordered_map<int, std::pmr::string> names(&pool);
    for (int i = 0; i < 10'000; ++i) names.emplace(i, std::string(40, 'a') + std::to_string(i));
    EXPECT_EQ(policy_at(names.at(0).data()), kBind0);
    EXPECT_EQ(policy_at(&names.at(9'999)), kBind0);

    ASSERT_TRUE(resource.set_policy(kPrefer0));
    EXPECT_EQ(resource.policy(), kPrefer0);
    for (int i = 10'000; i < 20'000; ++i)
        names.emplace(i, std::string(40, 'a') + std::to_string(i));
    for (const int i : {0, 5'000, 9'999, 10'000, 19'999}) {
        EXPECT_EQ(policy_at(&names.at(i)), kPrefer0) << i;
        EXPECT_EQ(names.at(i).substr(40), std::to_string(i).c_str());
    }
    EXPECT_FALSE(resource.error());
}

TEST_F(ResourceAsUpstream, OfAMonotonicBuffer) {
    PolicyResource resource(kBind0);
    std::pmr::monotonic_buffer_resource buffer(kMiB, &resource);
    std::pmr::vector<std::uint64_t> numbers(&buffer);
    std::pmr::list<int> links({1, 2, 3}, &buffer);
    numbers.resize(4 * kMiB);
    std::iota(numbers.begin(), numbers.end(), 0U);
    EXPECT_EQ(policy_at(numbers.data()), kBind0);
    EXPECT_EQ(policy_at(&links.back()), kBind0);
    ASSERT_TRUE(resource.set_policy(kPrefer0, pmr::Pages::kMove));
    EXPECT_EQ(policy_at(&numbers.back()), kPrefer0);
    EXPECT_EQ(policy_at(&links.back()), kPrefer0);
    EXPECT_EQ(numbers[4 * kMiB - 1], 4 * kMiB - 1);
}

TEST_F(ResourceAsUpstream, OfWhatHasNoPolicy) {
    PolicyResource resource{Policy()};
    void* const memory = resource.allocate(kMiB);
    EXPECT_EQ(policy_at(memory), Policy());
    ASSERT_TRUE(resource.set_policy(kBind0));
    EXPECT_EQ(policy_at(memory), kBind0);
    ASSERT_TRUE(resource.set_policy(Policy()));
    EXPECT_EQ(policy_at(memory), Policy());
    resource.deallocate(memory, kMiB);
}

TEST_F(ResourceAsUpstream, AlignsAsAskedFor) {
    PolicyResource resource(kBind0);
    for (size_t alignment = 1; alignment <= 8 * kMiB; alignment *= 2) {
        for (const size_t size : {size_t{1}, size_t{4096}, size_t{5000}, 3 * kMiB + 1}) {
            void* const memory = resource.allocate(size, alignment);
            EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory) % alignment, 0U);
            EXPECT_TRUE(is_usable(memory, size)) << size << " by " << alignment;
            EXPECT_EQ(policy_at(static_cast<char*>(memory) + size - 1), kBind0);
            resource.deallocate(memory, size, alignment);
        }
    }
}

TEST_F(ResourceAsUpstream, ThrowsForWhatNobodyHas) {
    PolicyResource resource(kBind0);
    volatile size_t most = std::numeric_limits<size_t>::max();
    EXPECT_THROW((void)resource.allocate(most), std::bad_alloc);
    EXPECT_THROW((void)resource.allocate(most - 8191, 8 * kMiB), std::bad_alloc);
    EXPECT_THROW((void)resource.allocate(most / 4), std::bad_alloc);
    EXPECT_FALSE(resource.error());
}

TEST_F(ResourceAsUpstream, HandsOutNothingTwice) {
    PolicyResource resource(kBind0);
    void* const nothing = resource.allocate(0);
    void* const another = resource.allocate(0);
    EXPECT_NE(nothing, another);
    resource.deallocate(nothing, 0);
    EXPECT_TRUE(is_mapped(another));
    resource.deallocate(another, 0);
}

TEST_F(ResourceAsUpstream, IsEqualToItselfOnly) {
    const PolicyResource resource(kBind0);
    const PolicyResource other(kBind0);
    EXPECT_TRUE(resource.is_equal(resource));
    EXPECT_FALSE(resource.is_equal(other));
}

}  // namespace
}  // namespace mpol::test

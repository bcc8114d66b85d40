// SPDX-License-Identifier: Apache-2.0
// Where the pages of a PolicyResource come to lie: under its policy, under the next one from the
// rewrite on, and, when they are to move, those that exist too.
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <deque>
#include <memory_resource>
#include <mpol/pmr.hpp>
#include <span>
#include <vector>

#include "own_memory.h"
#include "pages.h"

namespace mpol::test {
namespace {

using pmr::Pages;
using pmr::PolicyResource;

constexpr size_t kBytes = size_t{8} << 20;

Policy bind_to(unsigned node) {
    return Policy(Mode::kBind, NodeMask().set(node));
}

void touch(std::span<char> memory) {
    for (size_t at = 0; at < memory.size(); at += kPage) {
        static_cast<volatile char*>(memory.data())[at] = 1;
    }
}

Nodes nodes_of(std::span<const char> memory) {
    std::vector<int> nodes(memory.size() / kPage);
    look_up(memory.data(), nodes.size(), nodes.data());
    Nodes counts;
    for (const int node : nodes) {
        if (node != kAbsent) ++counts[node];
    }
    return counts;
}

Nodes all_on(int node, size_t bytes) {
    return {{node, bytes / kPage}};
}

class ResourcePages : public FourNodes {
  protected:
    // A page is the unit of everything.
    static void SetUpTestSuite() { ::prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0); }

    static std::span<char> allocate(PolicyResource& resource, size_t size = kBytes) {
        return {static_cast<char*>(resource.allocate(size)), size};
    }
};

TEST_F(ResourcePages, LieUnderThePolicyOfTheirTime) {
    PolicyResource resource(bind_to(1));
    const auto memory = allocate(resource);
    const auto earlier = memory.first(kBytes / 2);
    const auto later = memory.last(kBytes / 2);
    touch(earlier);
    EXPECT_EQ(nodes_of(earlier), all_on(1, kBytes / 2));

    ASSERT_TRUE(resource.set_policy(bind_to(2)));
    touch(later);
    EXPECT_EQ(nodes_of(later), all_on(2, kBytes / 2));
    EXPECT_EQ(nodes_of(earlier), all_on(1, kBytes / 2)) << "pages that exist stay";
    const auto chunk = allocate(resource);
    touch(chunk);
    EXPECT_EQ(nodes_of(chunk), all_on(2, kBytes));
}

TEST_F(ResourcePages, MoveWhenTheyAreTo) {
    PolicyResource resource(bind_to(1));
    const auto first = allocate(resource);
    const auto second = allocate(resource);
    touch(first);
    touch(second.first(kBytes / 2));
    second[5] = 'x';
    ASSERT_TRUE(resource.set_policy(bind_to(2), Pages::kMove));
    EXPECT_EQ(nodes_of(first), all_on(2, kBytes));
    EXPECT_EQ(nodes_of(second), all_on(2, kBytes / 2));
    EXPECT_EQ(second[5], 'x');
    touch(second);
    EXPECT_EQ(nodes_of(second), all_on(2, kBytes));
}

TEST_F(ResourcePages, OfContainersFollow) {
    PolicyResource resource(bind_to(3));
    std::pmr::synchronized_pool_resource pool(&resource);
    std::pmr::monotonic_buffer_resource buffer(kBytes, &resource);
    const auto node_of = [](const void* object) {
        int node = kAbsent;
        const auto address = reinterpret_cast<std::uintptr_t>(object);
        look_up(reinterpret_cast<const char*>(address & ~(kPage - 1)), 1, &node);
        return node;
    };
    std::pmr::deque<std::uint64_t> pooled(&pool);
    std::pmr::deque<std::uint64_t> buffered(&buffer);
    const auto fill = [&] {
        for (std::uint64_t i = 0; i < 100'000; ++i) {
            pooled.push_back(i);
            buffered.push_back(i);
        }
    };
    const auto expect_all_on = [&](int node) {
        for (const auto* const numbers : {&pooled, &buffered}) {
            for (const std::uint64_t& number : *numbers) ASSERT_EQ(node_of(&number), node);
        }
    };
    fill();
    expect_all_on(3);
    ASSERT_TRUE(resource.set_policy(bind_to(0), Pages::kMove));
    expect_all_on(0);
    fill();
    expect_all_on(0);
}

TEST_F(ResourcePages, AreSharedOutByAnInterleave) {
    PolicyResource resource(Policy(Mode::kInterleave, NodeMask(0b1111)));
    const auto memory = allocate(resource);
    touch(memory);
    const size_t each = kBytes / kPage / 4;
    EXPECT_EQ(nodes_of(memory), (Nodes{{0, each}, {1, each}, {2, each}, {3, each}}));
}

TEST_F(ResourcePages, LieOnTheHomeNode) {
    Policy policy(Mode::kBind, NodeMask(0b0111));
    policy.set_home_node(2);
    PolicyResource resource(policy);
    const auto memory = allocate(resource);
    touch(memory.first(kBytes / 2));
    EXPECT_EQ(nodes_of(memory), all_on(2, kBytes / 2));
    policy.set_home_node(0);
    ASSERT_TRUE(resource.set_policy(policy));
    touch(memory.last(kBytes / 2));
    EXPECT_EQ(nodes_of(memory.last(kBytes / 2)), all_on(0, kBytes / 2));
    EXPECT_FALSE(resource.error());
}

TEST_F(ResourcePages, OfAFailedRewriteStayWhereTheyAre) {
    GTEST_FLAG_SET(death_test_style, "fast");
    const auto body = [] {
        PolicyResource resource(bind_to(1));
        std::array chunks{allocate(resource), allocate(resource), allocate(resource)};
        std::ranges::sort(chunks, {}, [](const auto& chunk) { return chunk.data(); });
        for (const auto chunk : chunks) touch(chunk.first(kBytes / 2));
        const auto last = reinterpret_cast<std::uintptr_t>(chunks.back().data());
        refuse(SYS_mbind, ENOMEM, Argument{0, static_cast<std::uint32_t>(last)});
        REQUIRE(!resource.set_policy(bind_to(2), Pages::kMove));
        for (const auto chunk : chunks) {
            REQUIRE(nodes_of(chunk) == all_on(1, kBytes / 2));
            touch(chunk);
            REQUIRE(nodes_of(chunk) == all_on(1, kBytes));
        }
        ::_exit(0);
    };
    EXPECT_EXIT(body(), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace mpol::test

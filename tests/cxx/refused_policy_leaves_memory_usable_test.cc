// SPDX-License-Identifier: Apache-2.0
// A PolicyResource whose policy the kernel refuses hands out memory all the same, and says why it
// is without.
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <memory_resource>
#include <mpol/pmr.hpp>
#include <vector>

#include "own_memory.h"

namespace mpol::test {
namespace {

using pmr::PolicyResource;

constexpr size_t kMiB = size_t{1} << 20;
const Policy kNowhere(Mode::kBind, NodeMask().set(1023));

class RefusedPolicy : public OwnMemory {
  protected:
    void SetUp() override {
        GTEST_FLAG_SET(death_test_style, "fast");
        OwnMemory::SetUp();
    }
};

class RefusedCall : public RefusedPolicy, public ::testing::WithParamInterface<int> {};

TEST_P(RefusedCall, OfEveryMbindIsTold) {
    const auto body = [] {
        PolicyResource before(kBind0);
        void* const old = before.allocate(kMiB);
        refuse(SYS_mbind, GetParam());

        PolicyResource resource(kBind0);
        REQUIRE(resource.error() == code(GetParam()));
        std::pmr::synchronized_pool_resource pool(&resource);
        const std::pmr::vector<char> bytes(kMiB, 'x', &pool);
        REQUIRE(bytes.back() == 'x');
        REQUIRE(policy_at(bytes.data()) == Policy());
        REQUIRE(resource.set_policy(kPrefer0).error() == code(GetParam()));
        REQUIRE(resource.policy() == kBind0);

        REQUIRE(!before.error());
        REQUIRE(before.set_policy(kPrefer0).error() == code(GetParam()));
        REQUIRE(before.policy() == kBind0 && !before.error());
        REQUIRE(policy_at(old) == kBind0);
        void* const late = before.allocate(kMiB);
        REQUIRE(is_usable(late, kMiB));
        REQUIRE(before.error() == code(GetParam()));
        ::_exit(0);
    };
    EXPECT_EXIT(body(), testing::ExitedWithCode(0), "");
}
INSTANTIATE_TEST_SUITE_P(Errors, RefusedCall, testing::Values(EPERM, ENOSYS));

TEST_F(RefusedPolicy, OfNodesThatAreNotThere) {
    PolicyResource resource(kNowhere);
    EXPECT_EQ(resource.error(), code(EINVAL));
    void* const memory = resource.allocate(kMiB);
    EXPECT_TRUE(is_usable(memory, kMiB));
    EXPECT_EQ(policy_at(memory), Policy());
    // And it can be mended.
    ASSERT_TRUE(resource.set_policy(kBind0));
    EXPECT_FALSE(resource.error());
    EXPECT_EQ(policy_at(memory), kBind0);
    EXPECT_EQ(resource.set_policy(kNowhere).error(), code(EINVAL)) << "also without a chunk: below";
    EXPECT_EQ(policy_at(memory), kBind0);
    resource.deallocate(memory, kMiB);
    EXPECT_EQ(resource.set_policy(kNowhere).error(), code(EINVAL));
    EXPECT_EQ(resource.policy(), kBind0);
}

TEST_F(RefusedPolicy, OfWeightsOfItsOwn) {
    const Policy weighted = *Policy::parse("weighted interleave:0;weights=5");
    PolicyResource resource(kBind0);
    void* const memory = resource.allocate(kMiB);
    EXPECT_EQ(resource.set_policy(weighted).error(), code(ENOTSUP));
    EXPECT_EQ(resource.policy(), kBind0);
    EXPECT_EQ(policy_at(memory), kBind0);
    EXPECT_FALSE(resource.error());
    resource.deallocate(memory, kMiB);

    PolicyResource from_the_start(weighted);
    EXPECT_EQ(from_the_start.error(), code(ENOTSUP));
    void* const without = from_the_start.allocate(kMiB);
    EXPECT_TRUE(is_usable(without, kMiB));
    EXPECT_EQ(policy_at(without), Policy());
    from_the_start.deallocate(without, kMiB);
}

TEST_F(RefusedPolicy, OfAHomeNodeAloneLeavesTheNodes) {
    Policy with_home = kBind0;
    with_home.set_home_node(1023);
    PolicyResource resource(with_home);
    EXPECT_EQ(resource.error(), code(EINVAL));
    void* const memory = resource.allocate(kMiB);
    EXPECT_TRUE(is_usable(memory, kMiB));
    EXPECT_EQ(policy_at(memory), kBind0);
    ASSERT_TRUE(resource.set_policy(kPrefer0));
    EXPECT_FALSE(resource.error());
    EXPECT_EQ(resource.set_policy(with_home).error(), code(EINVAL));
    EXPECT_EQ(policy_at(memory), kPrefer0);
    resource.deallocate(memory, kMiB);
}

}  // namespace
}  // namespace mpol::test

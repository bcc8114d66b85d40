// SPDX-License-Identifier: Apache-2.0
// A set_policy that the kernel refuses at one chunk only, after others have it: all are as they
// were.
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <mpol/pmr.hpp>

#include "own_memory.h"

namespace mpol::test {
namespace {

using pmr::PolicyResource;

constexpr size_t kMiB = size_t{1} << 20;
constexpr int kHomeNodeCall = 450;      // SYS_set_mempolicy_home_node
constexpr unsigned kFlagsArgument = 5;  // of mbind(2)
constexpr unsigned kMove = 1U << 1;     // MPOL_MF_MOVE

class FailedRewrite : public OwnMemory {
  protected:
    void SetUp() override {
        GTEST_FLAG_SET(death_test_style, "fast");
        OwnMemory::SetUp();
    }

    // Eight chunks in the order of addresses, in which they are rewritten; the fifth is refused.
    static constexpr size_t kRefused = 4;
    static std::array<void*, 8> chunks_of(PolicyResource& resource) {
        std::array<void*, 8> chunks{};
        for (void*& chunk : chunks) chunk = resource.allocate(kMiB);
        std::sort(chunks.begin(), chunks.end());
        return chunks;
    }
    static Argument start_of(const void* chunk) {
        return {0, static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(chunk))};
    }
};

TEST_F(FailedRewrite, AtOneChunkIsTakenBackFromTheOthers) {
    const auto body = [] {
        PolicyResource resource(kBind0);
        const auto chunks = chunks_of(resource);
        refuse(SYS_mbind, ENOMEM, start_of(chunks[kRefused]));
        REQUIRE(resource.set_policy(kPrefer0).error() == code(ENOMEM));
        for (const void* const chunk : chunks) REQUIRE(policy_at(chunk) == kBind0);
        REQUIRE(resource.policy() == kBind0);
        REQUIRE(policy_at(resource.allocate(kMiB)) == kBind0);
        // Without that chunk nothing stands in the way.
        resource.deallocate(chunks[kRefused], kMiB);
        REQUIRE(resource.set_policy(kPrefer0));
        REQUIRE(policy_at(chunks[0]) == kPrefer0 && policy_at(chunks[7]) == kPrefer0);
        ::_exit(0);
    };
    EXPECT_EXIT(body(), testing::ExitedWithCode(0), "");
}

TEST_F(FailedRewrite, AtTheHomeNodeOfOneChunkIsTakenBack) {
    if (kThreadSanitizer) {
        GTEST_SKIP() << "ThreadSanitizer can't follow the clone(2) by which libmpol tries a filter";
    }
    const auto body = [] {
        PolicyResource resource(kPrefer0);
        const auto chunks = chunks_of(resource);
        refuse(kHomeNodeCall, ENOMEM, start_of(chunks[kRefused]));
        Policy with_home = kBind0;
        with_home.set_home_node(0);
        REQUIRE(resource.set_policy(with_home).error() == code(ENOMEM));
        for (const void* const chunk : chunks) REQUIRE(policy_at(chunk) == kPrefer0);
        REQUIRE(resource.policy() == kPrefer0 && !resource.error());
        ::_exit(0);
    };
    EXPECT_EXIT(body(), testing::ExitedWithCode(0), "");
}

TEST_F(FailedRewrite, WhilePagesMoveIsTakenBack) {
    const auto body = [] {
        PolicyResource resource(kBind0);
        const auto chunks = chunks_of(resource);
        refuse(SYS_mbind, EIO, Argument{kFlagsArgument, kMove});
        REQUIRE(resource.set_policy(kPrefer0, pmr::Pages::kMove).error() == code(EIO));
        for (const void* const chunk : chunks) REQUIRE(policy_at(chunk) == kBind0);
        REQUIRE(resource.policy() == kBind0 && !resource.error());
        REQUIRE(resource.set_policy(kPrefer0, pmr::Pages::kStay));
        ::_exit(0);
    };
    EXPECT_EXIT(body(), testing::ExitedWithCode(0), "");
}

TEST_F(FailedRewrite, OfMemoryThatHadNoPolicyLeavesItWithout) {
    const auto body = [] {
        PolicyResource resource(*Policy::parse("weighted interleave:0;weights=5"));
        const auto chunks = chunks_of(resource);
        refuse(SYS_mbind, ENOMEM, start_of(chunks[kRefused]));
        REQUIRE(resource.set_policy(kPrefer0).error() == code(ENOMEM));
        for (const void* const chunk : chunks) REQUIRE(policy_at(chunk) == Policy());
        REQUIRE(resource.error() == code(ENOTSUP));
        ::_exit(0);
    };
    EXPECT_EXIT(body(), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace mpol::test

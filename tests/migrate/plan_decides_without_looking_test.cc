// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "heap/migrate_plan.h"

namespace mpol::heap {
namespace {

constexpr uint64_t kMs = 1'000'000;
const KernelWeights kEqual{};

Binding bound(Mode mode, std::initializer_list<unsigned> nodes) {
    Binding binding;
    binding.set = true;
    binding.policy.mode = mode;
    for (const unsigned node : nodes) binding.effective.set(node);
    binding.policy.nodes = binding.effective;
    return binding;
}

PagePlace at(uint64_t address, unsigned node, bool huge = false) {
    return {.address = address, .node = node, .huge = huge};
}

// What a machine that takes fixed_ns and page_ns for each page makes of it: the longest batch after
// the first.
uint64_t longest_batch_ns(uint64_t fixed_ns, uint64_t page_ns) {
    unsigned pages = kBatchPagesMin;
    uint64_t longest = 0;
    for (int batch = 0; batch < 1000; ++batch) {
        const uint64_t took = fixed_ns + pages * page_ns;
        if (batch > 0) longest = std::max(longest, took);
        pages = next_batch_pages(pages, pages, took);
    }
    return longest;
}

TEST(BatchSize, StaysBelowTheBoundOnFastAndSlowMachines) {
    for (const uint64_t fixed_ns : {uint64_t{1'000}, uint64_t{100'000}, 2 * kMs}) {
        for (const uint64_t page_ns : {200ULL, 2'000ULL, 20'000ULL, 200'000ULL, 900'000ULL}) {
            EXPECT_LT(longest_batch_ns(fixed_ns, page_ns), kBatchBoundNs)
                << fixed_ns << " " << page_ns;
        }
    }
}

TEST(BatchSize, GrowsOnlyWhenAFullBatchWasQuick) {
    EXPECT_EQ(next_batch_pages(64, 64, kMs), 128U);
    EXPECT_EQ(next_batch_pages(64, 3, kMs), 64U);
    EXPECT_EQ(next_batch_pages(64, 64, 3 * kMs), 64U);
    EXPECT_EQ(next_batch_pages(kBatchPagesMax, kBatchPagesMax, 1), kBatchPagesMax);
}

TEST(BatchSize, ShrinksAtOnceAndNeverBelowTheLeast) {
    EXPECT_EQ(next_batch_pages(512, 512, 40 * kMs), 51U);
    EXPECT_EQ(next_batch_pages(512, 1, 40 * kMs), kBatchPagesMin);
    EXPECT_EQ(next_batch_pages(kBatchPagesMin, kBatchPagesMin, 1000 * kMs), kBatchPagesMin);
}

TEST(Pace, KeepsTheRateOverAnyStretch) {
    EXPECT_EQ(next_begin_ns(5, 4096, 0), 5U);
    EXPECT_EQ(next_begin_ns(5, 4096, 4096), 5U + 1000 * kMs);
    uint64_t now = 0;
    uint64_t bytes = 0;
    constexpr uint64_t kRate = 100 << 20;
    for (int batch = 0; batch < 1000; ++batch) {
        bytes += 64 * kPageBytes;
        now = next_begin_ns(now, 64 * kPageBytes, kRate);
        EXPECT_LE(bytes, now / kMs * kRate / 1000 + 64 * kPageBytes + kRate / 1000);
    }
    EXPECT_EQ(now / kMs, bytes * 1000 / kRate);
}

TEST(Destination, OfAPageWhereItBelongsIsToStay) {
    EXPECT_EQ(destination(bound(Mode::kBind, {1, 2}), at(0, 2), kEqual), kAnyNode);
    EXPECT_EQ(destination(bound(Mode::kPreferred, {1}), at(0, 1), kEqual), kAnyNode);
    EXPECT_EQ(destination(bound(Mode::kInterleave, {0, 3}), at(kPageBytes, 3), kEqual), kAnyNode);
    EXPECT_EQ(destination(bound(Mode::kLocal, {}), at(0, 2), kEqual), kAnyNode);
}

TEST(Destination, OfABindSharesHugePageByHugePage) {
    const Binding binding = bound(Mode::kBind, {1, 2});
    for (uint64_t huge = 0; huge < 4; ++huge) {
        const int home = huge % 2 == 0 ? 1 : 2;
        EXPECT_EQ(destination(binding, at(huge * kHugeBytes, 0), kEqual), home);
        EXPECT_EQ(destination(binding, at((huge + 1) * kHugeBytes - 1, 3), kEqual), home);
    }
}

TEST(Destination, OfABindPassesOverFullNodesAndPrefersItsHome) {
    Binding binding = bound(Mode::kBind, {1, 2});
    EXPECT_EQ(destination(binding, at(0, 0), kEqual, NodeMask::of(1)), 2);
    EXPECT_EQ(destination(binding, at(0, 0), kEqual, binding.effective), kAnyNode);
    binding.policy.home_node = 2;
    EXPECT_EQ(destination(binding, at(0, 0), kEqual), 2);
    EXPECT_EQ(destination(binding, at(0, 0), kEqual, NodeMask::of(2)), 1);
}

TEST(Destination, OfAnInterleaveCountsPagesOfThePagesOwnSize) {
    const Binding binding = bound(Mode::kInterleave, {0, 1, 2});
    const uint64_t address = 7 * kHugeBytes;
    EXPECT_EQ(destination(binding, at(address, 3, true), kEqual), 7 % 3);
    EXPECT_EQ(destination(binding, at(address, 3), kEqual), static_cast<int>(7 * 512 % 3));
}

TEST(Destination, OfAnInterleaveOnOldKernelsForgetsTheHighBits) {
    const Binding binding = bound(Mode::kInterleave, {0, 1, 2});
    PagePlace page = at(uint64_t{1} << 44, 3);
    EXPECT_EQ(destination(binding, page, kEqual), 1);  // 2^32 modulo 3
    page.short_index = true;
    EXPECT_EQ(destination(binding, page, kEqual), 0);
}

TEST(Failure, HasTheReasonThatTheKernelGives) {
    EXPECT_EQ(failure_of(-EBUSY), MPOL_CTL_MIGRATION_BUSY);
    EXPECT_EQ(failure_of(-EAGAIN), MPOL_CTL_MIGRATION_BUSY);
    EXPECT_EQ(failure_of(-ENOMEM), MPOL_CTL_MIGRATION_NO_MEMORY);
    EXPECT_EQ(failure_of(-EACCES), MPOL_CTL_MIGRATION_SHARED);
    EXPECT_EQ(failure_of(-ENODEV), MPOL_CTL_MIGRATION_OTHER);
}

}  // namespace
}  // namespace mpol::heap

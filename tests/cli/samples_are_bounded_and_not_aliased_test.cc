// SPDX-License-Identifier: Apache-2.0
// Which pages mpol maps looks at in a heap that is too large to look at all.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "cli/sampling.h"

namespace mpol::cli {
namespace {

constexpr uint64_t kTebibyte = (uint64_t{1} << 40) / 4096;

uint64_t sum(const std::vector<uint64_t>& looks) {
    return std::accumulate(looks.begin(), looks.end(), uint64_t{0});
}

TEST(Sampling, SmallHeapsAreLookedAtWhole) {
    const std::vector<uint64_t> pages = {kExactPagesMax - 10, 10, 0};
    EXPECT_EQ(plan_looks(pages, false), pages);
    EXPECT_EQ(standard_error(10, 10, 5), 0);
}

TEST(Sampling, LooksAreBoundedWhateverTheRegions) {
    EXPECT_LE(sum(plan_looks(std::vector<uint64_t>(64, kTebibyte), false)), kSampledPages);
    const std::vector<uint64_t> many(4096, uint64_t{1} << 44);
    EXPECT_LE(sum(plan_looks(many, false)), kSampledPages + 4096 * kSampledPagesMin);
    EXPECT_LE(sum(plan_looks(many, true)), kSampledPages + 4096 * kSampledPagesMin);
}

TEST(Sampling, ARegionGetsItsShareAndAtLeastAFew) {
    const auto looks =
        plan_looks(std::vector<uint64_t>{kTebibyte, kTebibyte / 4, 4000, 100}, false);
    EXPECT_NEAR(static_cast<double>(looks[0]), 4.0 * static_cast<double>(looks[1]), 4);
    EXPECT_EQ(looks[2], kSampledPagesMin);
    EXPECT_EQ(looks[3], 100U);
}

TEST(Sampling, AllPagesAreLookedAtWhenAskedFor) {
    const std::vector<uint64_t> pages = {kTebibyte};
    EXPECT_EQ(plan_looks(pages, true), pages);
}

TEST(Sampling, ASampleOfAnInterleaveIsNotAliased) {
    for (const uint64_t nodes : {2, 3, 4, 8, 16, 512}) {
        const uint64_t looks = 1 << 16;
        uint64_t hits = 0;
        uint64_t last = 0;
        for (const uint64_t page : random_pages(kTebibyte, looks, nodes)) {
            EXPECT_LT(page, kTebibyte);
            EXPECT_GE(page, last);
            last = page;
            hits += page % nodes == 0 ? 1 : 0;
        }
        const double share = static_cast<double>(kTebibyte) / static_cast<double>(nodes);
        const double estimate = static_cast<double>(hits) * kTebibyte / looks;
        EXPECT_LT(std::abs(estimate - share), 4 * standard_error(kTebibyte, looks, hits)) << nodes;
    }
}

TEST(Sampling, NothingHitIsNotTakenForCertain) {
    EXPECT_GT(standard_error(kTebibyte, kSampledPages, 0), 0);
    EXPECT_GT(standard_error(kTebibyte, kSampledPages, kSampledPages), 0);
    EXPECT_LT(standard_error(kTebibyte, kSampledPages, kSampledPages / 2), 0.0014 * kTebibyte);
}

}  // namespace
}  // namespace mpol::cli

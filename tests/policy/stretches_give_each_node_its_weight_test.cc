// SPDX-License-Identifier: Apache-2.0
// Each node's part of a weighted region: exact at the end of every GiB of a small heap, and never
// off by more than about half a period in between. Counted as the kernel interleaves each stretch.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

#include "weighted_heap.h"

namespace mpol::test {
namespace {

constexpr uint64_t kGib = uint64_t{1} << 30;

// The worst relative error of any node's part at the ends of whole GiB, and after any stretch from
// the first GiB on.
struct Errors {
    double at_gib = 0;
    double anywhere = 0;
};

Errors errors_of(const NodeWeights& weights, unsigned granule_shift,
                 const std::vector<uint64_t>& regions) {
    Errors worst;
    std::vector<double> have(weights.count);
    uint64_t offset = 0;
    for (const uint64_t size : regions) {
        visit_region(weights, granule_shift, offset, size, [&](const Stretch& stretch) {
            const double each = static_cast<double>(stretch.size) / stretch.nodes.weight();
            double error = 0;
            const double end = static_cast<double>(stretch.start + stretch.size);
            for (unsigned i = 0; i < weights.count; ++i) {
                if (stretch.nodes.test(weights.nodes[i])) have[i] += each;
                const double due = end * weights.weights[i] / weights.total;
                error = std::max(error, std::abs(have[i] / due - 1));
            }
            const uint64_t at = stretch.start + stretch.size;
            if (at % kGib == 0) worst.at_gib = std::max(worst.at_gib, error);
            if (at >= kGib) worst.anywhere = std::max(worst.anywhere, error);
        });
        offset += size;
    }
    return worst;
}

}  // namespace

TEST(Stretches, AreExactAfterAGib) {
    for (const auto& vector : kWeightVectors) {
        for (const unsigned shift : {kPageShift, kHugePageShift}) {
            const Errors errors = errors_of(weights_of(vector), shift, {kGib});
            EXPECT_LT(errors.at_gib, 0.001) << name_of(vector) << ", granule 2^" << shift;
            const Errors two = errors_of(weights_of(vector), shift, {2 * kGib});
            EXPECT_LT(two.at_gib, 0.001) << name_of(vector) << ", granule 2^" << shift;
        }
    }
}

TEST(Stretches, OfSmallPagesAreNearlyExactAnywhereInAGrowingHeap) {
    for (const auto& vector : kWeightVectors) {
        const Errors errors = errors_of(weights_of(vector), kPageShift, growing_heap());
        EXPECT_LT(errors.at_gib, 0.01) << name_of(vector);
        EXPECT_LT(errors.anywhere, 0.02) << name_of(vector);
    }
}

// A node can't have part of a huge page: what it lacks or has too much is one or two, or what small
// pages allow.
TEST(Stretches, OfHugePagesAreOffByHugePagesOnly) {
    for (const auto& vector : kWeightVectors) {
        const NodeWeights weights = weights_of(vector);
        const unsigned least = *std::min_element(vector.begin(), vector.end());
        const double huge_page = 1.0 * weights.total / least / 512;
        const Errors errors = errors_of(weights, kHugePageShift, growing_heap());
        EXPECT_LT(errors.anywhere, 0.02 + huge_page) << name_of(vector);
    }
}

namespace {

// The worst relative error of any node's part of a GiB that begins anywhere in the heap's first
// bytes.
double worst_window(const NodeWeights& weights, unsigned granule_shift, uint64_t heap_bytes,
                    const std::vector<uint64_t>& regions) {
    constexpr uint64_t kStep = uint64_t{1} << 21;
    // What each node has of the heap's first i * kStep bytes.
    std::vector<std::vector<double>> have{std::vector<double>(weights.count)};
    uint64_t offset = 0;
    for (const uint64_t size : regions) {
        visit_region(weights, granule_shift, offset, size, [&](const Stretch& stretch) {
            for (uint64_t at = stretch.start; at < stretch.start + stretch.size;) {
                const uint64_t end =
                    std::min((at / kStep + 1) * kStep, stretch.start + stretch.size);
                have.resize(at / kStep + 2, have.back());
                for (unsigned i = 0; i < weights.count; ++i) {
                    if (!stretch.nodes.test(weights.nodes[i])) continue;
                    have[at / kStep + 1][i] +=
                        static_cast<double>(end - at) / stretch.nodes.weight();
                }
                at = end;
            }
        });
        offset += size;
    }
    double worst = 0;
    for (uint64_t first = 0; first + kGib <= heap_bytes; first += kStep) {
        for (unsigned i = 0; i < weights.count; ++i) {
            const double part = have[(first + kGib) / kStep][i] - have[first / kStep][i];
            const double due = static_cast<double>(kGib) * weights.weights[i] / weights.total;
            worst = std::max(worst, std::abs(part / due - 1));
        }
    }
    return worst;
}

}  // namespace

// What begins inside a period and ends inside another lacks parts of both: more where periods are
// longer, later in the heap. By huge pages one more or less of them.
TEST(Stretches, ShareOutAGibThatBeginsAnywhere) {
    for (const auto& vector : kWeightVectors) {
        const NodeWeights weights = weights_of(vector);
        const unsigned least = *std::min_element(vector.begin(), vector.end());
        const double huge_page = 1.0 * weights.total / least / 512;
        for (const auto& [gib, bound] : {std::pair{2, 0.025}, std::pair{4, 0.05}}) {
            const uint64_t bytes = static_cast<uint64_t>(gib) * kGib;
            const double small = worst_window(weights, kPageShift, bytes, growing_heap());
            const double huge = worst_window(weights, kHugePageShift, bytes, growing_heap());
            std::printf("%s, heap of %d GiB: off by %.1f %%, by huge pages %.1f %%\n",
                        name_of(vector).c_str(), gib, 100 * small, 100 * huge);
            EXPECT_LT(small, bound) << name_of(vector);
            EXPECT_LT(huge, bound + huge_page) << name_of(vector);
        }
    }
}

TEST(Stretches, HoldHugePagesEvenly) {
    constexpr uint64_t kHuge = uint64_t{1} << kHugePageShift;
    for (const auto& vector : kWeightVectors) {
        visit_region(weights_of(vector), kHugePageShift, 0, 2 * kGib, [&](const Stretch& stretch) {
            const uint64_t first = (stretch.start + kHuge - 1) / kHuge;
            const uint64_t last = (stretch.start + stretch.size) / kHuge;
            const uint64_t whole = last > first ? last - first : 0;
            EXPECT_EQ(whole % stretch.nodes.weight(), 0)
                << name_of(vector) << " at " << stretch.start;
        });
    }
}

TEST(Stretches, CoverTheRegionWithoutGaps) {
    for (const auto& vector : kWeightVectors) {
        // Neither end a whole huge page.
        const uint64_t start = 7 * kGib + 4096;
        const uint64_t size = 3 * kGib + 12288;
        uint64_t at = start;
        NodeMask before;
        const bool cut =
            for_each_stretch(weights_of(vector), {mappings_for(0, size), kHugePageShift}, start,
                             size, [&](const Stretch& stretch) {
                                 EXPECT_EQ(stretch.start, at);
                                 EXPECT_EQ(stretch.start % 4096, 0);
                                 EXPECT_NE(stretch.nodes, before);
                                 before = stretch.nodes;
                                 at += stretch.size;
                             });
        EXPECT_TRUE(cut);
        EXPECT_EQ(at, start + size);
    }
}

TEST(Stretches, AreTheLevelsOfTheWeights) {
    std::vector<uint64_t> sizes(4);
    visit_region(weights_of({5, 3, 2, 1}), kHugePageShift, 0, kGib, [&](const Stretch& stretch) {
        // The fine end of the frame has others too.
        if (stretch.nodes != NodeMask::first_nodes(stretch.nodes.weight())) return;
        sizes[stretch.nodes.weight() - 1] += stretch.size;
    });
    const double unit = kGib / 11.0;
    EXPECT_NEAR(sizes[3] / unit, 4, 0.2);
    EXPECT_NEAR(sizes[2] / unit, 3, 0.2);
    EXPECT_NEAR(sizes[1] / unit, 2, 0.2);
    EXPECT_NEAR(sizes[0] / unit, 2, 0.2);
}

}  // namespace mpol::test

// SPDX-License-Identifier: Apache-2.0
// Each node's part of a weighted region: exact over any GiB but one across the end of the heap's
// first 4 GiB, and never off by more than about half a period. Counted as the kernel interleaves
// each stretch.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "weighted_heap.h"

namespace mpol::test {
namespace {

constexpr uint64_t kGib = uint64_t{1} << 30;
constexpr uint64_t kPage = 4096;

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
        EXPECT_LT(errors.anywhere, 0.035) << name_of(vector);
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
        EXPECT_LT(errors.anywhere, 0.035 + huge_page) << name_of(vector);
    }
}

namespace {

// What the nodes have of a heap up to each border of two stretches.
class Shares {
  public:
    Shares(const NodeWeights& weights, unsigned granule_shift, const std::vector<uint64_t>& regions)
        : weights_(weights), borders_{0}, have_{std::vector<double>(weights.count)} {
        for (const uint64_t size : regions) {
            visit_region(weights, granule_shift, borders_.back(), size,
                         [&](const Stretch& stretch) { add(stretch); });
        }
    }

    [[nodiscard]] const std::vector<uint64_t>& borders() const { return borders_; }

    // The worst relative error of any node's part of the GiB from start on.
    [[nodiscard]] double error_of_gib(uint64_t start) const {
        double worst = 0;
        for (unsigned i = 0; i < weights_.count; ++i) {
            const double due = static_cast<double>(kGib) * weights_.weights[i] / weights_.total;
            worst = std::max(worst, std::abs((upto(start + kGib, i) - upto(start, i)) / due - 1));
        }
        return worst;
    }

  private:
    void add(const Stretch& stretch) {
        have_.push_back(have_.back());
        borders_.push_back(stretch.start + stretch.size);
        for (unsigned i = 0; i < weights_.count; ++i) {
            if (!stretch.nodes.test(weights_.nodes[i])) continue;
            have_.back()[i] += static_cast<double>(stretch.size) / stretch.nodes.weight();
        }
    }

    [[nodiscard]] double upto(uint64_t at, unsigned i) const {
        const auto after = std::upper_bound(borders_.begin(), borders_.end() - 1, at);
        const size_t k = static_cast<size_t>(after - borders_.begin());
        const double part = static_cast<double>(at - borders_[k - 1]) /
                            static_cast<double>(borders_[k] - borders_[k - 1]);
        return have_[k - 1][i] + part * (have_[k][i] - have_[k - 1][i]);
    }

    const NodeWeights& weights_;
    std::vector<uint64_t> borders_;
    std::vector<std::vector<double>> have_;
};

// The worst of all GiB that begin from first on, and before last. A node's part of a GiB changes
// evenly while neither its begin nor its end passes a border, so the worst has one at a border.
double worst_gib(const Shares& shares, uint64_t first, uint64_t last) {
    double worst = std::max(shares.error_of_gib(first), shares.error_of_gib(last));
    for (const uint64_t border : shares.borders()) {
        if (border >= first && border <= last) {
            worst = std::max(worst, shares.error_of_gib(border));
        }
        if (border >= first + kGib && border <= last + kGib) {
            worst = std::max(worst, shares.error_of_gib(border - kGib));
        }
    }
    return worst;
}

}  // namespace

// Wherever it begins: but for one that begins among the shorter periods of the first 4 GiB and ends
// among the longer ones.
TEST(Stretches, OfSmallPagesShareOutAnyGibOf64) {
    for (const auto& vector : {Weights{5, 3, 2, 1}, Weights{4, 3, 2, 1}, Weights{9, 9, 9, 2},
                               Weights{7, 7, 7, 1}, Weights{255, 1}, Weights{3, 1}}) {
        const NodeWeights weights = weights_of(vector);
        for (const auto& regions : {growing_heap(), std::vector<uint64_t>(64, kGib)}) {
            const Shares shares(weights, kPageShift, regions);
            const auto worst = [&](uint64_t first, uint64_t last) {
                return worst_gib(shares, first * kGib, last * kGib);
            };
            const double at_4 = worst(kFineGib - 1, kFineGib);
            const double at_32 = worst(kCoarseGib - 1, kCoarseGib);
            std::printf("%s: off by %.1f %% across 4 GiB, by %.1f %% across 32 GiB\n",
                        name_of(vector).c_str(), 100 * at_4, 100 * at_32);
            EXPECT_LT(worst(0, kFineGib - 1), 0.001) << name_of(vector);
            EXPECT_LT(at_4, 0.12) << name_of(vector);
            EXPECT_LT(worst(kFineGib, kCoarseGib - 1), 0.001) << name_of(vector);
            EXPECT_LT(at_32, 0.26) << name_of(vector);
            EXPECT_LT(worst(kCoarseGib, 2 * kCoarseGib - 1), 0.001) << name_of(vector);
        }
    }
}

// So that a block of a GiB lies between these borders.
TEST(Stretches, PiecesBeginWherePeriodsAreOfOneLength) {
    StretchLayout layout;
    const auto begin_in_heap = [&](uint64_t gib, uint64_t offset, uint64_t size) {
        layout.heap_gib = static_cast<uint32_t>(gib);
        return (gib << 30) + begin_of_piece(layout, offset, size);
    };
    constexpr uint64_t kHalf = kGib / 2;
    for (const uint64_t border : {kFineGib, kCoarseGib, 2 * kCoarseGib, 4 * kCoarseGib}) {
        const uint64_t before = border - 1;
        EXPECT_EQ(begin_in_heap(before, kHalf, kGib), border * kGib);
        EXPECT_EQ(begin_in_heap(before - 1, kGib + kHalf, kGib), border * kGib);
        EXPECT_EQ(begin_in_heap(before, kHalf, kHalf), before * kGib + kHalf) << "ends there";
        EXPECT_EQ(begin_in_heap(border, 0, kGib), border * kGib) << "begins there";
        EXPECT_EQ(begin_in_heap(before, kGib - kPage, kEvenPieceBytesMin - kPage),
                  border * kGib - kPage)
            << "is small";
    }
    EXPECT_EQ(begin_in_heap(3, kHalf, 30 * kGib), 3 * kGib + kHalf) << "is long";
    EXPECT_EQ(begin_in_heap(10, kHalf, 3 * kGib), 10 * kGib + kHalf);
}

// By huge pages one more or less of them; levels of many weights need longer periods.
TEST(Stretches, ShareOutAGibOfASmallHeap) {
    for (const auto& vector : kWeightVectors) {
        const NodeWeights weights = weights_of(vector);
        const unsigned least = *std::min_element(vector.begin(), vector.end());
        const double huge_page = 1.0 * weights.total / least / 512;
        const uint64_t last = (kFineGib - 1) * kGib;
        EXPECT_LT(worst_gib({weights, kPageShift, growing_heap()}, 0, last), 0.01)
            << name_of(vector);
        EXPECT_LT(worst_gib({weights, kHugePageShift, growing_heap()}, 0, last), 0.01 + huge_page)
            << name_of(vector);
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
        const bool cut = for_each_stretch(weights_of(vector), layout_for(0, size), start, size,
                                          [&](const Stretch& stretch) {
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

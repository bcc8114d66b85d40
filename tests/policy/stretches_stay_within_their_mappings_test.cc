// SPDX-License-Identifier: Apache-2.0
// 64 GiB take at most 1,000 mappings, whatever the weights; what does not fit is not cut at all.
#include <gtest/gtest.h>

#include "policy/stretch_period.h"
#include "weighted_heap.h"

namespace mpol::test {
namespace {

constexpr uint64_t kGib = uint64_t{1} << 30;

unsigned stretches(const NodeWeights& weights, const StretchLayout& layout, uint64_t size) {
    unsigned count = 0;
    for_each_stretch(weights, layout, 0, size, [&](const Stretch&) { ++count; });
    return count;
}

// 1, 2, ...: as many levels as nodes.
Weights stairs(unsigned nodes) {
    Weights list;
    for (unsigned weight = 1; weight <= nodes; ++weight) list.push_back(weight);
    return list;
}

}  // namespace

TEST(StretchMappings, AreAtMostAThousandFor64Gib) {
    std::vector<Weights> all = kWeightVectors;
    all.push_back(stairs(16));
    all.push_back(stairs(40));
    for (const auto& vector : all) {
        for (const unsigned shift : {kPageShift, kHugePageShift}) {
            unsigned grown = 0;
            uint64_t offset = 0;
            for (const uint64_t size : growing_heap()) {
                visit_region(weights_of(vector), shift, offset, size,
                             [&](const Stretch&) { ++grown; });
                offset += size;
            }
            EXPECT_LE(grown, 1000) << name_of(vector) << ", granule 2^" << shift;
            unsigned at_once = 0;
            visit_region(weights_of(vector), shift, 0, 64 * kGib,
                         [&](const Stretch&) { ++at_once; });
            EXPECT_LE(at_once, 1000) << name_of(vector) << ", granule 2^" << shift;
        }
    }
}

TEST(StretchMappings, AreNeverMoreThanAllowed) {
    for (unsigned mappings = 0; mappings <= 300; mappings += mappings < 30 ? 1 : 27) {
        for (const auto& vector : kWeightVectors) {
            for (const uint64_t size : {kGib, 3 * kGib, 100 * kGib, kGib / 8, uint64_t{4096}}) {
                EXPECT_LE(stretches(weights_of(vector), {mappings, kHugePageShift}, size), mappings)
                    << name_of(vector) << ", " << size << " bytes";
            }
        }
    }
}

TEST(StretchMappings, OfAPeriodAreAsManyAsThereAreDistinctWeights) {
    EXPECT_LE(stretches(weights_of({7, 7, 7, 1}), {20, kHugePageShift}, kGib), 20);
    EXPECT_EQ(stretches(weights_of({7, 7, 7, 7}), {180, kHugePageShift}, kGib), 1);
    EXPECT_EQ(stretches(weights_of({200}), {180, kHugePageShift}, kGib), 1);
}

TEST(StretchMappings, ThatAreTooFewCutNothing) {
    EXPECT_FALSE(for_each_stretch(weights_of({5, 3, 2, 1}), {5, kHugePageShift}, 0, kGib,
                                  [](const Stretch&) { FAIL(); }));
    EXPECT_FALSE(for_each_stretch(NodeWeights{}, {180, kHugePageShift}, 0, kGib,
                                  [](const Stretch&) { FAIL(); }));
}

TEST(StretchMappings, OfNodesThatAreOwedNothingAreNone) {
    const NodeWeights weights = weights_of({2, 1});
    const stretches::Amounts nothing{};
    StretchVisitor* const visit = [](void*, const Stretch&) { FAIL(); };
    stretches::Emitter out(0, kGib, 20, visit, nullptr);
    stretches::Period(weights, nothing).put(out, kHugePageShift);
    EXPECT_EQ(out.left(), kGib);
}

TEST(StretchMappings, OfAnyWordAreBounded) {
    const volatile uint64_t word = ~uint64_t{0};
    EXPECT_EQ(decode_layout(word).mappings, kMappingsMax);
    EXPECT_EQ(decode_layout(word & 0xff).mappings, 255U);
}

// What a reader of somebody's segment may find.
TEST(StretchMappings, OfAnyWordEndInTime) {
    for (const uint64_t word :
         {~uint64_t{0}, uint64_t{0xffffffff}, uint64_t{12} << 32, uint64_t{1}}) {
        unsigned count = 0;
        for_each_stretch(weights_of({255, 1}), decode_layout(word), 12345, uint64_t{1} << 47,
                         [&](const Stretch&) { ++count; });
        EXPECT_LE(count, kMappingsMax);
    }
    EXPECT_FALSE(for_each_stretch(weights_of({255, 1}), decode_layout(~uint64_t{0}), 0,
                                  ~uint64_t{0}, [](const Stretch&) { FAIL(); }));
}

}  // namespace mpol::test

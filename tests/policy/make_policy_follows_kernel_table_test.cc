// SPDX-License-Identifier: Apache-2.0
// Rows observed with set_mempolicy(2) on Linux 6.12 (and 6.1 where it differs).
#include <gtest/gtest.h>

#include <cerrno>

#include "machine.h"

namespace mpol::test {
namespace {

constexpr KernelModes kLinux612{};
constexpr KernelModes kLinux61{.mode_count = 6, .prefer_many_balancing = false};

constexpr int kDefault = 0;
constexpr int kPreferred = 1;
constexpr int kBind = 2;
constexpr int kInterleave = 3;
constexpr int kLocal = 4;
constexpr int kPreferredMany = 5;
constexpr int kWeighted = 6;

struct Row {
    int mode_word;
    NodeMask nodes;
    int result;
    Policy stored{};
};

void expect_rows(std::initializer_list<Row> rows, const KernelModes& kernel) {
    for (const Row& row : rows) {
        SCOPED_TRACE(row.mode_word);
        const Policy untouched = policy(Mode::kBind, 0, span(5, 6));
        Policy stored = untouched;
        EXPECT_EQ(make_policy(row.mode_word, row.nodes, kernel, stored), row.result);
        EXPECT_EQ(stored, row.result == 0 ? row.stored : untouched);
    }
}

TEST(MakePolicy, FollowsKernelTable) {
    const NodeMask none;
    const NodeMask zero = nodes({0});
    expect_rows(
        {
            {7, none, -EINVAL},
            {-1, none, -EINVAL},
            {100, zero, -EINVAL},
            {1 << 16, zero, -EINVAL},
            {kBind | 1 << 12, zero, -EINVAL},
            {kDefault, none, 0, Policy{}},
            {kDefault, zero, -EINVAL},
            {kDefault | kStaticNodes, none, 0, Policy{}},
            {kDefault | kRelativeNodes, none, 0, Policy{}},
            {kDefault | kStaticNodes, zero, -EINVAL},
            {kDefault | kNumaBalancing, none, -EINVAL},
            {kPreferred, none, 0, policy(Mode::kLocal, 0, none)},
            {kPreferred | kStaticNodes, none, -EINVAL},
            {kPreferred | kRelativeNodes, none, -EINVAL},
            {kPreferred, span(1, 2), 0, policy(Mode::kPreferred, 0, span(1, 2))},
            {kPreferred | kStaticNodes, zero, 0, policy(Mode::kPreferred, kStaticNodes, zero)},
            {kPreferred | kNumaBalancing, zero, -EINVAL},
            {kLocal | kNumaBalancing, none, -EINVAL},
            {kInterleave | kNumaBalancing, zero, -EINVAL},
            {kWeighted | kNumaBalancing, zero, -EINVAL},
            {kLocal, none, 0, policy(Mode::kLocal, 0, none)},
            {kLocal, zero, -EINVAL},
            {kLocal | kStaticNodes, none, -EINVAL},
            {kLocal | kRelativeNodes, none, -EINVAL},
            {kBind, none, -EINVAL},
            {kInterleave, none, -EINVAL},
            {kPreferredMany, none, -EINVAL},
            {kWeighted, none, -EINVAL},
            {kBind | kStaticNodes | kRelativeNodes, zero, -EINVAL},
            {kBind | kNumaBalancing, zero, 0, policy(Mode::kBind, kNumaBalancing, zero)},
            {kBind | kNumaBalancing | kStaticNodes, zero, 0,
             policy(Mode::kBind, kNumaBalancing | kStaticNodes, zero)},
            {kPreferredMany | kNumaBalancing, zero, 0,
             policy(Mode::kPreferredMany, kNumaBalancing, zero)},
            {kWeighted, zero, 0, policy(Mode::kWeightedInterleave, 0, zero)},
        },
        kLinux612);
}

TEST(MakePolicy, OnLinux61LacksWeightedInterleaveAndBalancingOfPreferMany) {
    const NodeMask zero = nodes({0});
    expect_rows(
        {
            {kWeighted, zero, -EINVAL},
            {kPreferredMany | kNumaBalancing, zero, -EINVAL},
            {kPreferredMany, zero, 0, policy(Mode::kPreferredMany, 0, zero)},
            {kBind | kNumaBalancing, zero, 0, policy(Mode::kBind, kNumaBalancing, zero)},
        },
        kLinux61);
}

TEST(MakePolicy, NeverAcceptsModesThisLibraryDoesNotKnow) {
    EXPECT_EQ(sanitize_mode_word(7, KernelModes{.mode_count = 8}), -EINVAL);
}

}  // namespace
}  // namespace mpol::test

// SPDX-License-Identifier: Apache-2.0
// mpol_rebind_policy() as observed by writing cpuset.mems on four nodes (Linux 6.1 and 6.12), and
// the worked example of the commit that brought MPOL_F_RELATIVE_NODES in Linux 2.6.26.
#include <gtest/gtest.h>

#include <vector>

#include "machine.h"

namespace mpol::test {
namespace {

struct Step {
    NodeMask mems;
    NodeMask effective;
};

struct Row {
    const char* name;
    Policy policy;
    NodeMask mems;  // allowed when the policy was set
    std::vector<Step> steps;
};

void expect_row(const Row& row) {
    SCOPED_TRACE(row.name);
    NodeMask effective;
    ASSERT_EQ(contextualise(row.policy, row.mems, effective), 0);
    NodeMask allowed = row.mems;
    for (const Step& step : row.steps) {
        effective = rebind(row.policy, effective, allowed, step.mems);
        EXPECT_EQ(effective, step.effective);
        allowed = step.mems;
    }
}

TEST(Rebind, FollowsObservedKernelVectors) {
    const NodeMask low = span(0, 1);
    const NodeMask high = span(2, 3);
    const NodeMask all = span(0, 3);
    const NodeMask user = nodes({0, 2, 3});
    const Row rows[] = {
        {"interleave", policy(Mode::kInterleave, 0, low), low, {{high, high}, {low, low}}},
        {"interleave=static falls back to all",
         policy(Mode::kInterleave, kStaticNodes, low),
         low,
         {{high, high}, {low, low}}},
        {"interleave is lossy",
         policy(Mode::kInterleave, 0, user),
         all,
         {{span(1, 3), nodes({1, 3})}, {nodes({2}), nodes({2})}, {all, nodes({0})}}},
        {"interleave=static",
         policy(Mode::kInterleave, kStaticNodes, user),
         all,
         {{span(1, 3), span(2, 3)}, {nodes({2}), nodes({2})}, {all, user}}},
        {"interleave=relative",
         policy(Mode::kInterleave, kRelativeNodes, user),
         all,
         {{span(1, 3), nodes({1, 3})}, {nodes({2}), nodes({2})}, {all, user}}},
        {"prefer stays outside",
         policy(Mode::kPreferred, 0, nodes({0})),
         low,
         {{high, nodes({0})}}},
        {"prefer=static stays outside",
         policy(Mode::kPreferred, kStaticNodes, nodes({0})),
         low,
         {{high, nodes({0})}, {low, nodes({0})}}},
        {"prefer (many)=static stays outside",
         policy(Mode::kPreferredMany, kStaticNodes, low),
         low,
         {{high, low}}},
        {"bind=balancing", policy(Mode::kBind, kNumaBalancing, low), low, {{high, high}}},
        {"weighted interleave", policy(Mode::kWeightedInterleave, 0, low), low, {{high, high}}},
        {"local", policy(Mode::kLocal, 0, {}), low, {{high, {}}, {low, {}}}},
        {"default", policy(Mode::kDefault, 0, {}), low, {{high, {}}}},
    };
    for (const Row& row : rows) expect_row(row);
}

TEST(Rebind, FollowsTheRelativeNodesExampleOf2626) {
    expect_row({"relative{1-3}",
                policy(Mode::kBind, kRelativeNodes, span(1, 3)),
                span(1, 3),
                {{span(1, 3), span(1, 3)},
                 {span(1, 7), span(2, 4)},
                 {nodes({1, 5, 6}), nodes({1, 5, 6})},
                 {nodes({1, 5, 6, 7}), span(5, 7)}}});
}

TEST(Rebind, RemapLeavesNodesOutsideTheOldSetWhereTheyAre) {
    const Policy bind = policy(Mode::kBind, 0, nodes({0, 7}));
    EXPECT_EQ(rebind(bind, nodes({0, 7}), span(0, 1), span(2, 3)), nodes({2, 7}));
}

TEST(Rebind, RemapToNoNodesLeavesEveryNodeWhereItIs) {
    EXPECT_EQ(remap(nodes({0, 7}), span(0, 1), NodeMask{}), nodes({0, 7}));
}

TEST(Rebind, WithUnchangedAllowedNodesKeepsAPlainMask) {
    const Policy bind = policy(Mode::kBind, 0, nodes({1}));
    EXPECT_EQ(rebind(bind, nodes({1}), span(0, 3), span(0, 3)), nodes({1}));
}

// The kernel skips a plain policy then, but looks at a stored user mask again.
TEST(Rebind, WithUnchangedAllowedNodesRestoresAStaticMask) {
    const Policy bind = policy(Mode::kBind, kStaticNodes, nodes({1}));
    EXPECT_EQ(rebind(bind, nodes({2}), span(0, 3), span(0, 3)), nodes({1}));
}

TEST(Rebind, ToNoNodesAtAllChangesNothing) {
    for (const unsigned flags : {0U, unsigned{kStaticNodes}, unsigned{kRelativeNodes}}) {
        const Policy bind = policy(Mode::kBind, flags, nodes({1}));
        EXPECT_EQ(rebind(bind, nodes({1}), span(0, 3), NodeMask{}), nodes({1}));
    }
}

// The kernel's first remap of BALANCING starts from the user mask, because both share a union:
// it would give {1,2} here.
TEST(Rebind, BalancingRemapsFromTheOldAllowedNodes) {
    const Policy bind = policy(Mode::kBind, kNumaBalancing, nodes({0, 2}));
    EXPECT_EQ(rebind(bind, nodes({0, 2}), span(0, 3), span(1, 3)), nodes({1, 3}));
}

}  // namespace
}  // namespace mpol::test

// SPDX-License-Identifier: Apache-2.0
// mpol_set_nodemask() as observed with set_mempolicy(2) and get_mempolicy(2) on four nodes.
#include <gtest/gtest.h>

#include <cerrno>

#include "machine.h"

namespace mpol::test {
namespace {

struct Row {
    const char* name;
    Policy policy;
    NodeMask allowed;
    int result;
    NodeMask effective{};
};

TEST(Contextualise, FollowsKernelVectors) {
    const NodeMask all = span(0, 3);
    const Row rows[] = {
        {"default", policy(Mode::kDefault, 0, {}), all, 0, {}},
        {"local", policy(Mode::kLocal, 0, {}), all, 0, {}},
        {"local, nothing allowed", policy(Mode::kLocal, 0, {}), {}, 0, {}},
        {"bind{0,9} is trimmed", policy(Mode::kBind, 0, nodes({0, 9})), all, 0, nodes({0})},
        {"bind=static{0,9}", policy(Mode::kBind, kStaticNodes, nodes({0, 9})), all, 0, nodes({0})},
        {"bind{9}", policy(Mode::kBind, 0, nodes({9})), all, -EINVAL},
        {"bind=relative{9} folds", policy(Mode::kBind, kRelativeNodes, nodes({9})), all, 0,
         nodes({1})},
        {"bind=static{3} @0-1", policy(Mode::kBind, kStaticNodes, nodes({3})), span(0, 1), -EINVAL},
        {"bind=balancing{1-2} @0-1", policy(Mode::kBind, kNumaBalancing, span(1, 2)), span(0, 1), 0,
         nodes({1})},
        {"interleave=relative{0,2,3} @1-3",
         policy(Mode::kInterleave, kRelativeNodes, nodes({0, 2, 3})), span(1, 3), 0, nodes({1, 3})},
        {"interleave{0-3} @2-3", policy(Mode::kInterleave, 0, all), span(2, 3), 0, span(2, 3)},
        {"weighted{0,2} @0-3", policy(Mode::kWeightedInterleave, 0, nodes({0, 2})), all, 0,
         nodes({0, 2})},
        {"prefer keeps the lowest", policy(Mode::kPreferred, 0, span(1, 3)), all, 0, nodes({1})},
        {"prefer keeps the lowest allowed", policy(Mode::kPreferred, 0, span(1, 3)), span(2, 3), 0,
         nodes({2})},
        {"prefer=relative{1} @2-3", policy(Mode::kPreferred, kRelativeNodes, nodes({1})),
         span(2, 3), 0, nodes({3})},
        {"prefer{0} @2-3", policy(Mode::kPreferred, 0, nodes({0})), span(2, 3), -EINVAL},
        {"prefer (many){0-2} @1-3", policy(Mode::kPreferredMany, 0, span(0, 2)), span(1, 3), 0,
         span(1, 2)},
        {"nothing allowed", policy(Mode::kBind, 0, nodes({0})), {}, -EINVAL},
        {"nothing allowed, relative", policy(Mode::kBind, kRelativeNodes, nodes({0})), {}, -EINVAL},
    };
    for (const Row& row : rows) {
        SCOPED_TRACE(row.name);
        const NodeMask untouched = nodes({77});
        NodeMask effective = untouched;
        EXPECT_EQ(contextualise(row.policy, row.allowed, effective), row.result);
        EXPECT_EQ(effective, row.result == 0 ? row.effective : untouched);
    }
}

}  // namespace
}  // namespace mpol::test

// SPDX-License-Identifier: Apache-2.0
// Random policies through printer and parsers. MPOL_TEST_SEED=n replays a run.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <random>

#include "machine.h"
#include "policy/text.h"
#include "replay.h"

namespace mpol::test {
namespace {

constexpr int kRounds = 3000;

class RandomPolicies {
  public:
    explicit RandomPolicies(uint64_t seed) : engine_(seed) {}

    unsigned below(unsigned limit) { return static_cast<unsigned>(engine_() % limit); }

    // Never empty; sparse and dense sets, low and high nodes.
    NodeMask mask() {
        const unsigned width = below(2) == 0 ? 1 + below(8) : 1 + below(kMaxNodes);
        const unsigned density = 1 + below(8);
        NodeMask mask = NodeMask::of(below(width));
        for (unsigned node = 0; node < width; ++node) {
            if (below(8) < density) mask.set(node);
        }
        return mask;
    }

    // Only policies that the newest kernel accepts and whose text says it all.
    Policy next() {
        for (;;) {
            const unsigned mode = below(kModeCount);
            const unsigned flags = below(8) << 13;
            NodeMask nodes = below(8) == 0 ? NodeMask{} : mask();
            if (mode == static_cast<unsigned>(Mode::kPreferred) && !nodes.empty()) {
                nodes = NodeMask::of(nodes.first());
            }
            Policy made;
            if (make_policy(static_cast<int>(mode | flags), nodes, {}, made) != 0) continue;
            if (takes_home_node(made.mode) && below(2) == 0) {
                made.home_node = static_cast<int32_t>(below(kMaxNodes));
            }
            const unsigned count = made.nodes.weight();
            if (made.mode == Mode::kWeightedInterleave && (made.flags & kRelativeNodes) == 0 &&
                count <= kWeightedNodesMax && below(2) == 0) {
                made.weight_source = WeightSource::kGiven;
                for (unsigned i = 0; i < count; ++i) {
                    made.weights[i] = static_cast<uint8_t>(1 + below(255));
                }
            }
            return made;
        }
    }

  private:
    std::mt19937_64 engine_;
};

TEST(PolicyText, RoundTripsThroughTheLenientParser) {
    RandomPolicies random(announced_seed());
    ParseContext context;
    context.allow_absent_nodes = true;
    for (int round = 0; round < kRounds; ++round) {
        const Policy original = random.next();
        const std::string text = policy_text(original);
        SCOPED_TRACE(text);
        const ParseResult parsed = parse_lenient(text, context);
        ASSERT_TRUE(parsed.has_value()) << render_error(parsed.error(), text);
        ASSERT_EQ(*parsed, original);
    }
}

// Balancing is the kernel's own gap: it prints the flag and does not read it.
TEST(PolicyText, RoundTripsThroughTheStrictParserExceptBalancing) {
    RandomPolicies random(announced_seed());
    for (int round = 0; round < kRounds; ++round) {
        Policy original = random.next();
        original.home_node = kNoNode;
        original.weight_source = WeightSource::kNone;
        std::fill(std::begin(original.weights), std::end(original.weights), uint8_t{0});
        const std::string text = kernel_text(original, original.nodes);
        SCOPED_TRACE(text);
        const ParseResult parsed = parse_strict(text, NodeMask::first_nodes(kMaxNodes));
        const bool balancing = (original.flags & kNumaBalancing) != 0;
        ASSERT_EQ(parsed.has_value(), !balancing);
        if (balancing) continue;
        ASSERT_EQ(*parsed, original);
    }
}

TEST(PolicyText, NodeListsRoundTrip) {
    RandomPolicies random(announced_seed());
    for (int round = 0; round < kRounds; ++round) {
        const NodeMask mask = random.mask();
        ASSERT_EQ(parse_kernel_list(nodes_text(mask), kMaxNodes), mask) << nodes_text(mask);
    }
}

}  // namespace
}  // namespace mpol::test

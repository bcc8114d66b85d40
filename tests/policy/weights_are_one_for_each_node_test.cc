// SPDX-License-Identifier: Apache-2.0
// The weights= setting: what it means, and what each mistake is called.
#include <gtest/gtest.h>

#include "machine.h"
#include "policy/text.h"
#include "policy/weights.h"

namespace mpol::test {
namespace {

constexpr std::string_view kMode = "weighted interleave:0-3;";

void expect_weights(const std::string& text, WeightSource source, std::vector<unsigned> weights,
                    const ParseContext& context = four_nodes()) {
    const ParseResult policy = parse_lenient(text, context);
    ASSERT_TRUE(policy) << render_error(policy.error(), text);
    EXPECT_EQ(policy->weight_source, source) << text;
    for (unsigned i = 0; i < kWeightedNodesMax; ++i) {
        EXPECT_EQ(policy->weights[i], i < weights.size() ? weights[i] : 0) << text << " at " << i;
    }
}

// wrong: carets under the characters.
void expect_error(const std::string& text, const std::string& carets, const std::string& sentence,
                  const ParseContext& context = four_nodes()) {
    const ParseResult policy = parse_lenient(text, context);
    ASSERT_FALSE(policy) << text;
    EXPECT_EQ(render_error(policy.error(), text), text + "\n" + carets + "\n" + sentence);
}

std::string under(size_t from, size_t length) {
    return std::string(from, ' ') + std::string(length, '^');
}

}  // namespace

TEST(Weights, AreOfTheNodesInAscendingOrder) {
    expect_weights("weighted interleave:0-3;weights=5,3,2,1", WeightSource::kGiven, {5, 3, 2, 1});
    expect_weights("weighted-interleave:3,0;weights=5,1", WeightSource::kGiven, {5, 1});
    expect_weights("weighted interleave;weights=1,2,3,4", WeightSource::kGiven, {1, 2, 3, 4});
    expect_weights(" weighted interleave : 0-1 ; weights= 255 , 1 ", WeightSource::kGiven,
                   {255, 1});
    expect_weights("weighted interleave=static:0,2;weights=7,1", WeightSource::kGiven, {7, 1});
}

TEST(Weights, ArePrintedAndReadBack) {
    const std::string text = "weighted interleave:0-3;weights=5,3,2,1";
    EXPECT_EQ(policy_text(*parse_lenient(text, four_nodes())), text);
    // The kernel's text has no weights.
    const Policy policy = *parse_lenient(text, four_nodes());
    EXPECT_EQ(kernel_text(policy, policy.nodes), "weighted interleave:0-3");
    EXPECT_FALSE(parse_strict(text, four_nodes().has_memory));
}

TEST(Weights, ComeFromTheMachinesTables) {
    ParseContext context = four_nodes();
    context.auto_weights = {true, "", {{9, 9, 9, 2}}};
    context.system_weights = {true, "", {{4, 3, 0, 1}}};
    expect_weights("weighted interleave:0,3;weights=auto", WeightSource::kAuto, {9, 2}, context);
    expect_weights("weighted interleave:1-3;weights=system", WeightSource::kSystem, {3, 1, 1},
                   context);
    const ParseResult missing = parse_lenient("weighted interleave:0;weights=auto", four_nodes());
    ASSERT_FALSE(missing);
    EXPECT_TRUE(missing.error().not_here);
    EXPECT_EQ(missing.error().problem, "this machine has no such weights");
}

TEST(Weights, MustBeAsManyAsTheNodes) {
    const std::string order = ", in ascending order";
    expect_error(std::string(kMode) + "weights=5,3,2", under(32, 5),
                 "3 weights for 4 nodes; accepted: a weight for each of the nodes 0-3" + order);
    expect_error("weighted interleave:0-1;weights=5", under(32, 1),
                 "1 weight for 2 nodes; accepted: a weight for each of the nodes 0-1" + order);
    expect_error("weighted interleave:1;weights=5,3", under(30, 3),
                 "2 weights for 1 node; accepted: a weight for each of the nodes 1" + order);
}

TEST(Weights, OfAValueMakeSenseOnlyWithTheirModeAndForEachNode) {
    const Policy sound = *parse_lenient("weighted interleave:0-1;weights=5,1", four_nodes());
    EXPECT_TRUE(weights_make_sense(sound));
    Policy without = sound;
    without.mode = Mode::kInterleave;
    without.weight_source = WeightSource::kNone;
    EXPECT_TRUE(weights_make_sense(without));
    Policy mode = sound;
    mode.mode = Mode::kInterleave;
    EXPECT_FALSE(weights_make_sense(mode));
    Policy flags = sound;
    flags.flags = kRelativeNodes;
    EXPECT_FALSE(weights_make_sense(flags));
    Policy nobody = sound;
    nobody.nodes = {};
    EXPECT_FALSE(weights_make_sense(nobody));
    Policy none = sound;
    none.weights[1] = 0;
    EXPECT_FALSE(weights_make_sense(none));
    Policy many = sound;
    for (unsigned i = 0; i <= kWeightedNodesMax; ++i) many.nodes.set(i);
    EXPECT_FALSE(weights_make_sense(many));
}

TEST(Weights, AreFrom1To255) {
    const std::string numbers =
        "; accepted: numbers from 1 to 255 separated by commas, auto, or system";
    expect_error(std::string(kMode) + "weights=5,0,2,1", under(34, 1),
                 "the weight '0' is out of range; accepted: 1 to 255");
    expect_error(std::string(kMode) + "weights=256,1,2,1", under(32, 3),
                 "the weight '256' is out of range; accepted: 1 to 255");
    expect_error(std::string(kMode) + "weights=99999999999999999999,1,2,1", under(32, 20),
                 "the weight '99999999999999999999' is out of range; accepted: 1 to 255");
    expect_error(std::string(kMode) + "weights=5,x,2,1", under(34, 1),
                 "'x' is no weight" + numbers);
    expect_error(std::string(kMode) + "weights=5,,2,1", under(34, 1),
                 "a weight is missing" + numbers);
    expect_error(std::string(kMode) + "weights=", under(32, 1), "a weight is missing" + numbers);
    expect_error(std::string(kMode) + "weights=-5,1,1,1", under(32, 2),
                 "'-5' is no weight" + numbers);
    expect_error(std::string(kMode) + "weights=AUTO", under(32, 4),
                 "'AUTO' is no weight" + numbers);
}

TEST(Weights, GoWithWeightedInterleaveOfNodesOnly) {
    expect_error(
        "interleave:0-1;weights=2,1", under(15, 11),
        "only weighted interleave has weights; accepted: weights= with weighted interleave");
    expect_error(
        "weighted interleave=relative:0-1;weights=2,1", under(33, 11),
        "weights belong to nodes, and relative names none; accepted: weights= without relative");
    ParseContext context;
    context.has_memory = NodeMask::first_nodes(41);
    expect_error("weighted interleave:0-40;weights=auto", under(25, 12),
                 "weights for 41 nodes; accepted: at most 40 nodes with weights", context);
}

}  // namespace mpol::test

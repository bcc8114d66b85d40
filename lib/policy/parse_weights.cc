// SPDX-License-Identifier: Apache-2.0
// The weights= setting of the lenient grammar (see parse.h).
#include <algorithm>

#include "policy/text.h"
#include "policy/weights.h"
#include "policy/word.h"

namespace mpol {
namespace {

constexpr const char* kWeights = "numbers from 1 to 255 separated by commas, auto, or system";
constexpr unsigned kWeightMax = 255;

// The next number and what follows it; blanks around it are dropped.
MaybeError take_weight(Word& rest, uint8_t& ret_weight) {
    const size_t comma = rest.text.find(',');
    const Word item = rest.slice(0, comma).trimmed();
    const bool digits =
        !item.text.empty() && std::all_of(item.text.begin(), item.text.end(), is_digit);
    if (!digits) {
        const std::string problem =
            item.text.empty() ? "a weight is missing" : item.quoted() + " is no weight";
        return error_at(item, problem, kWeights);
    }
    unsigned weight = 0;
    for (const char c : item.text) {
        weight = std::min(weight * 10 + static_cast<unsigned>(c - '0'), kWeightMax + 1);
    }
    if (weight == 0 || weight > kWeightMax) {
        return error_at(item, "the weight " + item.quoted() + " is out of range", "1 to 255");
    }
    ret_weight = static_cast<uint8_t>(weight);
    rest = comma == std::string_view::npos ? Word{} : rest.slice(comma + 1);
    return std::nullopt;
}

MaybeError read_numbers(const Word& value, Policy& policy) {
    const unsigned nodes = policy.nodes.weight();
    const auto numbers =
        static_cast<size_t>(std::count(value.text.begin(), value.text.end(), ',')) + 1;
    Word rest = value;
    for (unsigned i = 0; i < std::min<size_t>(numbers, kWeightedNodesMax); ++i) {
        if (auto error = take_weight(rest, policy.weights[i])) return error;
    }
    if (numbers == nodes) return std::nullopt;
    return error_at(
        value,
        std::to_string(numbers) + (numbers == 1 ? " weight" : " weights") + " for " +
            std::to_string(nodes) + (nodes == 1 ? " node" : " nodes"),
        "a weight for each of the nodes " + nodes_text(policy.nodes) + ", in ascending order");
}

MaybeError read_table(const Word& value, const WeightTable& table, Policy& policy) {
    if (!table.known) {
        ParseError error = error_at(value, table.lacking, "weights as numbers");
        error.not_here = true;
        return error;
    }
    unsigned i = 0;
    for (unsigned node = policy.nodes.first(); node < kMaxNodes;
         node = policy.nodes.next(node + 1)) {
        policy.weights[i++] = std::max<uint8_t>(table.weights.of[node], 1);
    }
    return std::nullopt;
}

}  // namespace

MaybeError read_weights(const Word& setting, const Word& value, const ParseContext& context,
                        Policy& policy) {
    if (policy.mode != Mode::kWeightedInterleave) {
        return error_at(setting, "only weighted interleave has weights",
                        "weights= with weighted interleave");
    }
    if ((policy.flags & kRelativeNodes) != 0) {
        return error_at(setting, "weights belong to nodes, and relative names none",
                        "weights= without relative");
    }
    if (policy.nodes.weight() > kWeightedNodesMax) {
        return error_at(setting, "weights for " + std::to_string(policy.nodes.weight()) + " nodes",
                        "at most " + std::to_string(kWeightedNodesMax) + " nodes with weights");
    }
    MaybeError error;
    if (value.text == "auto") {
        policy.weight_source = WeightSource::kAuto;
        error = read_table(value, context.auto_weights, policy);
    } else if (value.text == "system") {
        policy.weight_source = WeightSource::kSystem;
        error = read_table(value, context.system_weights, policy);
    } else {
        policy.weight_source = WeightSource::kGiven;
        error = read_numbers(value, policy);
    }
    return error;
}

}  // namespace mpol

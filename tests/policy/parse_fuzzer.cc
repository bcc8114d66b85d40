// SPDX-License-Identifier: Apache-2.0
// libFuzzer entry: no text crashes a parser, every error lies inside the text, and what a parser
// accepts is printed as text that it accepts again, meaning the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "policy/parse.h"
#include "policy/text.h"
#include "policy/weights.h"

namespace {

using namespace mpol;

void require(bool holds) {
    if (!holds) std::abort();
}

void check_error(const ParseError& error, std::string_view text) {
    require(error.offset <= text.size() && error.length <= text.size() - error.offset);
    require(!error.problem.empty() && !error.accepted.empty());
    require(!render_error(error, text).empty());
}

void fuzz_strict(std::string_view text, const NodeMask& has_memory, unsigned max_nodes,
                 const ParseContext& context) {
    const ParseResult first = parse_strict(text, has_memory, kModeCount, max_nodes);
    if (!first) return check_error(first.error(), text);
    const std::string canonical = kernel_text(*first, first->nodes);
    const ParseResult second = parse_strict(canonical, has_memory, kModeCount, max_nodes);
    require(second.has_value() && *second == *first);
    const ParseResult lenient = parse_lenient(canonical, context);
    require(lenient.has_value() && *lenient == *first);
}

void fuzz_lenient(std::string_view text, const ParseContext& context) {
    const ParseResult first = parse_lenient(text, context);
    if (!first) return check_error(first.error(), text);
    ParseResult second = parse_lenient(policy_text(*first), context);
    // The text has the weights, and not where they came from.
    if (second && second->weight_source != WeightSource::kNone) {
        require(first->weight_source != WeightSource::kNone);
        second->weight_source = first->weight_source;
    }
    require(second.has_value() && *second == *first && weights_make_sense(*first));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    ParseContext context;
    context.has_memory = NodeMask::first_nodes(4);
    context.auto_weights = {true, "", {{9, 9, 9, 2}}};
    fuzz_strict(text, context.has_memory, 4, context);
    fuzz_strict(text, context.has_memory, kMaxNodes, context);
    fuzz_lenient(text, context);
    context.allowed = NodeMask::of(1) | NodeMask::of(3);
    context.allow_absent_nodes = true;
    fuzz_lenient(text, context);
    return 0;
}

// SPDX-License-Identifier: Apache-2.0
#include "daemon/rules/policy_template.h"

#include <algorithm>

#include "policy/text.h"
#include "policy/word.h"

namespace mpol::rules {
namespace {

using BadText = tl::unexpected<ParseError>;

// The nodes part: between the first ':' and the first ';'. Empty of numactl's options, and of a
// policy without nodes.
std::optional<Word> nodes_part(std::string_view text) {
    const size_t from = text.find(':');
    if (text.starts_with('-') || from == std::string_view::npos) return std::nullopt;
    const size_t end = text.find(';');
    if (end < from) return std::nullopt;
    return Word{text}.slice(from + 1, end).trimmed();
}

std::string replaced(const PolicyTemplate& policy, std::string_view nodes) {
    std::string text = policy.text;
    if (policy.nodes) text.replace(policy.nodes->offset, policy.nodes->text.size(), nodes);
    return text;
}

// Blanks in its place, so that what stands behind it stays where it is.
std::string without_weights(std::string text) {
    const size_t from = text.find(";weights=");
    if (from == std::string::npos) return text;
    const size_t length = std::min(text.find(';', from + 1), text.size()) - from;
    return text.replace(from, length, length, ' ');
}

ParseContext any_machine() {
    ParseContext context;
    context.has_memory = NodeMask::first_nodes(kMaxNodes);
    context.allow_absent_nodes = true;
    return context;
}

// The substitute is one character; what stands behind it has moved.
ParseError moved_back(ParseError error, const NodeSet& nodes) {
    if (error.offset > nodes.offset) {
        error.offset += nodes.text.size() - 1;
    } else if (error.offset == nodes.offset) {
        error.length = nodes.text.size();
    }
    return error;
}

}  // namespace

tl::expected<PolicyTemplate, ParseError> compile_policy(std::string_view text) {
    PolicyTemplate policy{std::string(text), std::nullopt};
    if (text.size() > kLenientTextBytesMax) {
        return fail(Word{text}.slice(kLenientTextBytesMax), "the text is too long",
                    "at most " + std::to_string(kLenientTextBytesMax) + " bytes");
    }
    if (const auto nodes = nodes_part(text)) {
        auto set = parse_node_set(*nodes);
        if (!set) return BadText(set.error());
        if (set->symbolic) policy.nodes = std::move(*set);
    }
    const ParseResult parsed = parse_lenient(without_weights(replaced(policy, "0")), any_machine());
    if (!parsed) {
        return BadText(policy.nodes ? moved_back(parsed.error(), *policy.nodes) : parsed.error());
    }
    if (policy.nodes && (parsed->flags & kRelativeNodes) != 0) {
        return fail({policy.nodes->text, policy.nodes->offset},
                    "=relative wants ordinals, and this is a set of nodes",
                    "numbers, a-b, a-b:used/group");
    }
    return policy;
}

tl::expected<Resolved, BadPolicy> resolve(const PolicyTemplate& policy, const Topology& topology,
                                          const TargetNodes& target) {
    Resolved resolved;
    resolved.text = policy.text;
    if (policy.nodes) {
        const NodesResult nodes = evaluate(*policy.nodes, topology, target);
        if (!nodes) return tl::unexpected(BadPolicy{policy.text, nodes.error()});
        resolved.text = replaced(policy, nodes_text(*nodes));
    }
    const ParseResult parsed = parse_lenient(resolved.text, parse_context(topology, target));
    if (!parsed) return tl::unexpected(BadPolicy{resolved.text, parsed.error()});
    resolved.policy = *parsed;
    if (contextualise(resolved.policy, target.allowed, resolved.effective) != 0) {
        const ParseError none =
            error_at(Word{resolved.text}, "its cpuset allows none of these nodes",
                     "a part of " + nodes_text(target.allowed));
        return tl::unexpected(BadPolicy{resolved.text, none});
    }
    if ((resolved.policy.flags & kRelativeNodes) == 0) {
        resolved.dropped = resolved.policy.nodes - target.allowed;
    }
    return resolved;
}

}  // namespace mpol::rules

// SPDX-License-Identifier: Apache-2.0
// linux mm/mempolicy.c mpol_parse_str(), bug for bug: same order of checks, same accidents.
#include <algorithm>
#include <optional>

#include "policy/modes.h"
#include "policy/text.h"
#include "policy/word.h"

namespace mpol {
namespace {

struct Parts {
    Word mode;
    std::optional<Word> flags;
    std::optional<Word> nodes;
};

// The first '=' and the first ':' cut the text independently of each other, so "bind:0=static"
// has the flag static.
Parts cut(const Word& text) {
    const size_t colon = text.text.find(':');
    const size_t equals = text.text.find('=');
    Parts parts;
    parts.mode = text.slice(0, std::min(colon, equals));
    if (equals != std::string_view::npos) {
        parts.flags = text.slice(equals + 1, colon > equals ? colon : std::string_view::npos);
    }
    if (colon != std::string_view::npos) {
        parts.nodes = text.slice(colon + 1, equals > colon ? equals : std::string_view::npos);
    }
    return parts;
}

NodesResult listed_nodes(const Parts& parts, const NodeMask& has_memory, unsigned max_nodes) {
    if (!parts.nodes) return NodeMask{};
    NodesResult nodes = parse_kernel_list(*parts.nodes, max_nodes);
    if (nodes && !nodes->subset_of(has_memory)) {
        const unsigned absent = (*nodes - has_memory).first();
        return fail(*parts.nodes, "node " + std::to_string(absent) + " has no memory",
                    "nodes " + nodes_text(has_memory));
    }
    return nodes;
}

const ModeInfo* find_mode(std::string_view name, unsigned mode_count) {
    for (const ModeInfo& info : kModes) {
        if (static_cast<unsigned>(info.mode) < mode_count && name == info.kernel_name) return &info;
    }
    return nullptr;
}

bool is_bare_number(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
}

// What the kernel demands of the list before it looks at the flags.
std::optional<ParseError> check_list(Mode mode, const Parts& parts) {
    switch (mode) {
        case Mode::kDefault:
        case Mode::kLocal:
            if (!parts.nodes) return std::nullopt;
            return error_at(*parts.nodes, parts.mode.quoted() + " takes no nodes", "no ':'");
        case Mode::kPreferred:
            if (!parts.nodes || is_bare_number(parts.nodes->text)) return std::nullopt;
            return error_at(*parts.nodes, "prefer takes one bare number", "digits only");
        case Mode::kBind:
        case Mode::kPreferredMany:
            if (parts.nodes) return std::nullopt;
            return error_at(parts.mode, parts.mode.quoted() + " needs nodes",
                            parts.mode.quoted() + " with ':' and a node list");
        default:
            return std::nullopt;
    }
}

tl::expected<uint16_t, ParseError> parse_flag(const Parts& parts) {
    if (!parts.flags) return uint16_t{0};
    if (parts.flags->text == "static") return kStaticNodes;
    if (parts.flags->text == "relative") return kRelativeNodes;
    return fail(*parts.flags, parts.flags->quoted() + " is no flag", "static or relative");
}

ParseError refused_by_mpol_new(const Parts& parts) {
    if (parts.nodes) return error_at(*parts.nodes, "the node list is empty", "at least one node");
    if (parts.flags) {
        return error_at(*parts.flags, parts.mode.quoted() + " without nodes takes no flag",
                        "no '='");
    }
    return error_at(parts.mode, "no node has memory", "default, local, prefer");
}

}  // namespace

ParseResult parse_strict(std::string_view text, const NodeMask& has_memory, unsigned mode_count,
                         unsigned max_nodes) {
    const Parts parts = cut(Word{text.substr(0, text.find('\0'))});
    NodesResult nodes = listed_nodes(parts, has_memory, std::clamp(max_nodes, 1U, kMaxNodes));
    if (!nodes) return tl::unexpected<ParseError>(nodes.error());

    const ModeInfo* info = find_mode(parts.mode.text, mode_count);
    if (info == nullptr) {
        return fail(parts.mode, parts.mode.quoted() + " is no mode", mode_names(mode_count));
    }
    if (auto error = check_list(info->mode, parts)) return tl::unexpected<ParseError>(*error);
    if (info->mode == Mode::kDefault) return Policy{};  // whatever its flags are

    const auto flag = parse_flag(parts);
    if (!flag) return tl::unexpected<ParseError>(flag.error());
    const bool interleaves =
        info->mode == Mode::kInterleave || info->mode == Mode::kWeightedInterleave;
    if (interleaves && !parts.nodes) *nodes = has_memory;

    Policy policy;
    const int mode_word = static_cast<int>(info->mode) | *flag;
    if (make_policy(mode_word, *nodes, KernelModes{}, policy) != 0) {
        return tl::unexpected<ParseError>(refused_by_mpol_new(parts));
    }
    return policy;
}

}  // namespace mpol

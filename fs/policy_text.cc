// SPDX-License-Identifier: Apache-2.0
#include "fs/policy_text.h"

#include <algorithm>
#include <string>

#include "policy/modes.h"
#include "policy/parse.h"

namespace mpol::fs {
namespace {

// Spells a list of prefer that names exactly one node in bare digits; leaves anything else to the
// parser. The first ':' and the first '=' cut the text wherever they stand.
std::string with_bare_node(std::string_view text) {
    const size_t colon = text.find(':');
    const size_t equals = text.find('=');
    const std::string_view prefer = kModes[static_cast<unsigned>(Mode::kPreferred)].kernel_name;
    if (colon == std::string_view::npos || text.substr(0, std::min(colon, equals)) != prefer) {
        return std::string(text);
    }
    const size_t end = equals > colon ? std::min(equals, text.size()) : text.size();
    const auto nodes = parse_kernel_list(text.substr(colon + 1, end - colon - 1), kMaxNodes);
    if (!nodes || nodes->weight() != 1) return std::string(text);
    return std::string(text.substr(0, colon + 1)) + std::to_string(nodes->first()) +
           std::string(text.substr(end));
}

}  // namespace

std::optional<Policy> parse_written(std::string_view text, const NodeMask& has_memory,
                                    unsigned mode_count) {
    if (text.empty() || text.size() > kWriteBytesMax) return std::nullopt;
    text = text.substr(0, text.find_first_of(std::string_view("\n\r\0", 3)));
    const auto policy = parse_strict(with_bare_node(text), has_memory, mode_count);
    if (!policy) return std::nullopt;
    return *policy;
}

}  // namespace mpol::fs

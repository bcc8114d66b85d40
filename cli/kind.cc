// SPDX-License-Identifier: Apache-2.0
#include "cli/kind.h"

#include <fmt/format.h>

#include "cli/words.h"

namespace mpol::cli {

Result<KindOfText> read_kind(const std::string& text) {
    const auto prefix = parse_kind_prefix(text);
    if (!prefix) return unparsed(text, prefix.error());
    if (!*prefix) return KindOfText{};
    return KindOfText{control::KindName{(*prefix)->kind, (*prefix)->threshold},
                      (*prefix)->policy_offset};
}

Result<std::optional<control::KindName>> read_kind_name(const std::string& text) {
    if (text.empty()) return std::nullopt;
    const auto kind = parse_kind_name(text);
    if (kind) return control::KindName{*kind, 0};
    return misused(fmt::format("{} is no kind of memory", in_quotes(text)),
                   "large, stack and mmap are");
}

Result<Policy> read_policy_after(const std::string& text, size_t offset, const Machine& machine,
                                 const NodeMask& allowed, bool allow_absent) {
    const std::string_view rest = std::string_view(text).substr(offset);
    Result<Policy> policy = read_policy(rest, machine, allowed, allow_absent);
    if (!policy && policy.error().bad_text) {
        BadText& bad = *policy.error().bad_text;
        bad.text = text;
        bad.error.offset += offset;
    }
    return policy;
}

}  // namespace mpol::cli

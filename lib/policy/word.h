// SPDX-License-Identifier: Apache-2.0
// Shared by the parsers, not part of the interface: a piece of the input that remembers where it
// stood, so that an error made from it points at the right characters.
#pragma once

#include <optional>
#include <string_view>
#include <utility>

#include "policy/parse.h"

namespace mpol {

struct Word {
    std::string_view text;
    size_t offset = 0;

    // The piece [from, to); to may be npos.
    [[nodiscard]] Word slice(size_t from, size_t to = std::string_view::npos) const {
        if (to > text.size()) to = text.size();
        return {text.substr(from, to - from), offset + from};
    }

    [[nodiscard]] Word trimmed(std::string_view blanks = " \t") const {
        const size_t from = text.find_first_not_of(blanks);
        if (from == std::string_view::npos) return slice(text.size());
        return slice(from, text.find_last_not_of(blanks) + 1);
    }

    // For a sentence: printable ASCII, and not much of it.
    [[nodiscard]] std::string quoted() const;
};

[[nodiscard]] inline ParseError error_at(const Word& word, std::string problem,
                                         std::string accepted) {
    return {word.offset, word.text.size(), std::move(problem), std::move(accepted)};
}

[[nodiscard]] inline tl::unexpected<ParseError> fail(const Word& word, std::string problem,
                                                     std::string accepted) {
    return tl::unexpected<ParseError>(error_at(word, std::move(problem), std::move(accepted)));
}

// nullopt: no error.
using MaybeError = std::optional<ParseError>;

[[nodiscard]] constexpr bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// ASCII only, whatever the locale says.
[[nodiscard]] constexpr bool equals_ignoring_case(std::string_view a, std::string_view b) {
    if (a.size() != b.size()) return false;
    for (size_t index = 0; index < a.size(); ++index) {
        const auto lower = [](char c) {
            return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        };
        if (lower(a[index]) != lower(b[index])) return false;
    }
    return true;
}

// Bytes of the input that a message repeats inside a sentence, and on the line above the carets:
// two words, and two lines of a terminal.
inline constexpr size_t kQuotedBytesMax = 40;
inline constexpr size_t kShownBytesMax = 160;

// Kernel names of the first mode_count modes, for the accepted half of a message.
[[nodiscard]] std::string mode_names(unsigned mode_count);

// The nodes part of the lenient grammar; ordinals: the policy has =relative.
[[nodiscard]] NodesResult parse_node_expression(const Word& word, const ParseContext& context,
                                                bool ordinals);

// The value of weights=, which is within setting. The policy is whole but for its weights.
[[nodiscard]] MaybeError read_weights(const Word& setting, const Word& value,
                                      const ParseContext& context, Policy& policy);

// bitmap_parselist() on a word without NUL. Precondition: 0 < max_nodes <= kMaxNodes.
[[nodiscard]] NodesResult parse_kernel_list(const Word& word, unsigned max_nodes);

}  // namespace mpol

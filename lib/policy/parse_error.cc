// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "policy/modes.h"
#include "policy/word.h"

namespace mpol {

namespace {

std::string printable(std::string_view text) {
    std::string shown(text);
    for (char& c : shown) {
        if (c < ' ' || c > '~') c = '?';
    }
    return shown;
}

}  // namespace

std::string Word::quoted() const {
    const bool whole = text.size() <= kQuotedBytesMax;
    return "'" + printable(text.substr(0, kQuotedBytesMax)) + (whole ? "'" : "...'");
}

std::string mode_names(unsigned mode_count) {
    std::string names;
    for (const ModeInfo& info : kModes) {
        if (static_cast<unsigned>(info.mode) >= mode_count) break;
        if (!names.empty()) names += ", ";
        names += info.kernel_name;
    }
    return names;
}

std::string render_error(const ParseError& error, std::string_view text) {
    size_t from = 0;
    if (text.size() > kShownBytesMax && error.offset > kShownBytesMax / 2) {
        from = error.offset - kShownBytesMax / 2;
    }
    const std::string shown = printable(text.substr(std::min(from, text.size()), kShownBytesMax));
    const size_t indent = std::min(error.offset - from, shown.size());
    const size_t carets =
        std::clamp<size_t>(error.length, 1, std::max<size_t>(shown.size() - indent, 1));
    return shown + "\n" + std::string(indent, ' ') + std::string(carets, '^') + "\n" +
           error.problem + "; accepted: " + error.accepted;
}

}  // namespace mpol

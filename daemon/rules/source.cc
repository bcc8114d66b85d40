// SPDX-License-Identifier: Apache-2.0
#include "daemon/rules/source.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "policy/word.h"

namespace mpol::rules {
namespace {

std::string_view line_of(std::string_view text, unsigned line) {
    for (; line > 1; --line) {
        const size_t end = text.find('\n');
        if (end == std::string_view::npos) return {};
        text.remove_prefix(end + 1);
    }
    text = text.substr(0, text.find('\n'));
    if (text.ends_with('\r')) text.remove_suffix(1);
    return text;
}

// One character for each code point, so that columns and carets agree.
std::string shown(std::string_view text) {
    std::string out;
    bool inside_code_point = false;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        const bool continues = (byte & 0xC0U) == 0x80U;
        if (continues && inside_code_point) continue;
        inside_code_point = byte >= 0xC0U;
        out += c == '\t' ? ' ' : c >= ' ' && c <= '~' ? c : '?';
    }
    return out;
}

}  // namespace

Location inside(const Text& text, size_t offset, size_t length) {
    if (!text.verbatim || offset > text.text.size()) return text.at;
    const size_t rest = text.text.size() - offset;
    return {text.at.line, text.at.column + 1 + static_cast<unsigned>(offset),
            static_cast<unsigned>(std::min(length, rest))};
}

void Report::error(const Location& at, std::string problem, std::string accepted) {
    if (diagnostics_.list.size() >= kDiagnosticsMax) {
        ++diagnostics_.left_out;
        return;
    }
    diagnostics_.list.push_back({source_.path, at, std::string(line_of(source_.text, at.line)),
                                 std::move(problem), std::move(accepted)});
}

void sort_by_place(Diagnostics& diagnostics) {
    std::map<std::string, size_t> order;
    for (const Diagnostic& one : diagnostics.list) order.emplace(one.file, order.size());
    const auto place = [&](const Diagnostic& one) {
        return std::tuple(order.at(one.file), one.at.line, one.at.column);
    };
    std::stable_sort(diagnostics.list.begin(), diagnostics.list.end(),
                     [&](const auto& a, const auto& b) { return place(a) < place(b); });
}

std::string render(const Diagnostic& diagnostic) {
    const Location& at = diagnostic.at;
    std::string out = shown(diagnostic.file);
    if (at.line != 0) out += fmt::format(":{}:{}", at.line, at.column);
    out += fmt::format(": {}\n", shown(diagnostic.problem));
    if (at.line != 0) {
        std::string line = shown(diagnostic.line);
        size_t indent = std::min<size_t>(at.column - (at.column > 0 ? 1 : 0), line.size());
        const size_t from = line.size() > kShownBytesMax && indent > kShownBytesMax / 2
                                ? indent - kShownBytesMax / 2
                                : 0;
        line = line.substr(from, kShownBytesMax);
        indent -= from;
        const size_t carets =
            std::clamp<size_t>(at.length, 1, std::max<size_t>(line.size() - indent, 1));
        out += fmt::format("    {}\n    {}{}\n", line, std::string(indent, ' '),
                           std::string(carets, '^'));
    }
    return out + fmt::format("    accepted: {}\n", diagnostic.accepted);
}

std::string quoted(std::string_view text) {
    return Word{text}.quoted();
}

}  // namespace mpol::rules

// SPDX-License-Identifier: Apache-2.0
// The only user of toml++, whose headers cost seconds to compile. Header-only and without its
// exceptions: the fuzzer then sees its code, and an error is a value. Its assertions, though, fail
// on some texts that are merely wrong ("[,a]", "[[[a]]]": fixed upstream in 2026), and without them
// it would read on: they are checked in every build, and throw.
#undef NDEBUG
namespace mpol::rules {
struct BrokenPrecondition {};
}  // namespace mpol::rules
#define TOML_ASSERT(holds) ((holds) ? void() : throw mpol::rules::BrokenPrecondition{})
#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <fmt/format.h>
#pragma GCC diagnostic push
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wterminate"  // assertions in what never fails
#endif
#include <toml++/toml.h>
#pragma GCC diagnostic pop

#include <algorithm>
#include <tuple>

#include "daemon/rules/tree.h"

namespace mpol::rules {
namespace {

class Converter {
  public:
    explicit Converter(std::string_view text) : text_(text) {
        starts_.push_back(0);
        for (size_t at = text.find('\n'); at != std::string_view::npos;
             at = text.find('\n', at + 1))
            starts_.push_back(at + 1);
    }

    Table table(const toml::table& from) const {
        Table out;
        for (const auto& [key, node] : from) {
            out.push_back({std::string(key.str()), location(key.source()), value(node)});
        }
        std::stable_sort(out.begin(), out.end(), [](const Member& a, const Member& b) {
            return std::tie(a.key_at.line, a.key_at.column) <
                   std::tie(b.key_at.line, b.key_at.column);
        });
        return out;
    }

  private:
    Value value(const toml::node& node) const {
        Value out{location(node.source()), DateOrTime{}};
        if (const auto* text = node.as_string()) out.is = string(**text, node.source());
        if (const auto* number = node.as_integer()) out.is = **number;
        if (const auto* number = node.as_floating_point()) out.is = **number;
        if (const auto* truth = node.as_boolean()) out.is = **truth;
        if (const auto* members = node.as_table()) out.is = table(*members);
        if (const auto* items = node.as_array()) {
            Array array;
            for (const toml::node& item : *items) array.push_back(value(item));
            out.is = std::move(array);
        }
        return out;
    }

    static Location location(const toml::source_region& region) {
        Location at{region.begin.line, region.begin.column, 1};
        if (region.end.line == region.begin.line && region.end.column > region.begin.column) {
            at.length = region.end.column - region.begin.column;
        }
        return at;
    }

    Text string(const std::string& text, const toml::source_region& region) const {
        Text out{text, location(region), false};
        if (region.begin.line == 0 || region.begin.line > starts_.size()) return out;
        const size_t start = starts_[region.begin.line - 1];
        const std::string_view line = text_.substr(start, text_.find('\n', start) - start);
        const auto ascii = [](char c) { return c >= ' ' && c <= '~'; };
        // Before it too, so that its column is a byte offset.
        const std::string_view before = line.substr(0, region.begin.column);
        out.verbatim = region.begin.column <= line.size() &&
                       std::all_of(before.begin(), before.end(),
                                   [&](char c) { return c == '\t' || ascii(c); }) &&
                       std::all_of(text.begin(), text.end(), ascii) &&
                       line.substr(region.begin.column, text.size()) == text;
        return out;
    }

    std::string_view text_;
    std::vector<size_t> starts_;  // of each line
};

constexpr const char* kToml = "TOML 1.0 (https://toml.io)";

// Empty: the library broke off.
std::optional<toml::parse_result> try_parse(std::string_view text) {
    try {
        return toml::parse(text);
    } catch (const BrokenPrecondition&) {
        return std::nullopt;
    }
}

// The first line with which the library breaks off; it reads from the front, so halving finds it.
unsigned line_that_breaks(std::string_view text) {
    std::vector<size_t> ends;  // of each line
    for (size_t at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at + 1)) {
        ends.push_back(at + 1);
    }
    const auto found = std::partition_point(ends.begin(), ends.end(), [&](size_t end) {
        return try_parse(text.substr(0, end)).has_value();
    });
    return static_cast<unsigned>(found - ends.begin()) + 1;
}

}  // namespace

std::string_view kind_name(const Value& value) {
    constexpr std::string_view kNames[] = {"a boolean", "an integer",       "a fraction",
                                           "a string",  "a date or a time", "an array",
                                           "a table"};
    static_assert(std::size(kNames) == std::variant_size_v<decltype(value.is)>);
    return kNames[value.is.index()];
}

std::optional<Table> parse(const Source& source, Report& report) {
    if (source.text.size() > kFileBytesMax) {
        report.error({}, "the file is too long", fmt::format("at most {} bytes", kFileBytesMax));
        return std::nullopt;
    }
    if (!check_nesting(source, report)) return std::nullopt;
    const auto result = try_parse(source.text);
    if (!result) {
        const unsigned line = line_that_breaks(source.text);
        report.error({line, 1, 1}, "what stands in this line, or before it, is no TOML", kToml);
        return std::nullopt;
    }
    if (!*result) {
        const toml::source_position at = result->error().source().begin;
        report.error({at.line, at.column, 1}, std::string(result->error().description()), kToml);
        return std::nullopt;
    }
    return Converter(source.text).table(result->table());
}

}  // namespace mpol::rules

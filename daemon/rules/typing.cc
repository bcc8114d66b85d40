// SPDX-License-Identifier: Apache-2.0
#include "daemon/rules/typing.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace mpol::rules {
namespace {

constexpr size_t kSlipsMax = 2;
// Longer words are not compared: no key comes near.
constexpr size_t kWordBytesMax = 32;

// Levenshtein's distance.
size_t distance(std::string_view a, std::string_view b) {
    std::array<size_t, kWordBytesMax + 1> row{};
    std::iota(row.begin(), row.end(), size_t{0});
    for (size_t i = 1; i <= a.size(); ++i) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.size(); ++j) {
            const size_t above = row[j];
            const size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            row[j] = std::min({changed, above + 1, row[j - 1] + 1});
            diagonal = above;
        }
    }
    return row[b.size()];
}

}  // namespace

void wrong_kind(const Value& value, std::string_view key, std::string_view wanted, Report& report) {
    report.error(value.at, fmt::format("'{}' is {}", key, kind_name(value)), std::string(wanted));
}

const Text* want_text(const Value& value, std::string_view key, Report& report) {
    const Text* const text = value.as<Text>();
    if (text == nullptr) wrong_kind(value, key, "a string", report);
    return text;
}

std::optional<bool> want_bool(const Value& value, std::string_view key, Report& report) {
    if (const bool* truth = value.as<bool>()) return *truth;
    wrong_kind(value, key, "true or false", report);
    return std::nullopt;
}

const Table* want_table(const Value& value, std::string_view key, Report& report) {
    const Table* const table = value.as<Table>();
    if (table == nullptr) wrong_kind(value, key, "a table", report);
    return table;
}

std::span<const Value> one_or_many(const Value& value, std::string_view key, Report& report) {
    const Array* const array = value.as<Array>();
    if (array == nullptr) return {&value, 1};
    if (array->empty()) {
        report.error(value.at, fmt::format("'{}' is an empty array", key), "at least one item");
    }
    return *array;
}

void check_keys(const Table& table, std::span<const std::string_view> known, std::string_view what,
                Report& report) {
    for (const Member& member : table) {
        if (std::find(known.begin(), known.end(), member.key) != known.end()) continue;
        std::string problem = fmt::format("{} is no key of {}", quoted(member.key), what);
        const std::string_view meant = nearest(member.key, known);
        if (!meant.empty()) problem += fmt::format(", did you mean '{}'?", meant);
        report.error(member.key_at, std::move(problem), joined(known));
    }
}

const Member* find(const Table& table, std::string_view key) {
    const auto found = std::find_if(table.begin(), table.end(),
                                    [&](const Member& member) { return member.key == key; });
    return found == table.end() ? nullptr : &*found;
}

std::string_view nearest(std::string_view word, std::span<const std::string_view> known) {
    std::string_view best;
    size_t least = kSlipsMax + 1;
    if (word.size() > kWordBytesMax) return best;
    for (const std::string_view candidate : known) {
        const size_t slips = distance(word, candidate);
        if (slips < least && slips < candidate.size() - 1) {
            least = slips;
            best = candidate;
        }
    }
    return best;
}

std::string joined(std::span<const std::string_view> words) {
    return fmt::format("{}", fmt::join(words, ", "));
}

}  // namespace mpol::rules

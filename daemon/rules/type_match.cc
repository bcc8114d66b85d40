// SPDX-License-Identifier: Apache-2.0
// The "match" table of a rule.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "daemon/rules/typed.h"
#include "daemon/rules/typing.h"
#include "policy/word.h"

namespace mpol::rules {
namespace {

constexpr std::string_view kMatchKeys[] = {"comm",   "exe",  "argv",   "user", "group",
                                           "cgroup", "unit", "thread", "env",  "resident",
                                           "age",    "all",  "any",    "not"};
constexpr std::string_view kPatternKeys[] = {"glob", "regex"};
constexpr std::string_view kComparisons[] = {"<", "<=", ">", ">="};

bool is_path(Field field) {
    return field == Field::kExe || field == Field::kCgroup;
}

std::optional<Pattern> type_pattern(const Value& value, Field field, std::string_view key,
                                    Report& report) {
    const Pattern::Kind glob = is_path(field) ? Pattern::Kind::kPathGlob : Pattern::Kind::kGlob;
    if (const Text* text = value.as<Text>()) return Pattern{glob, *text};
    const Table* const table = value.as<Table>();
    if (table == nullptr) {
        wrong_kind(value, key, "a glob, { regex = \"...\" }, or an array of them", report);
        return std::nullopt;
    }
    check_keys(*table, kPatternKeys, "a pattern", report);
    if (table->size() != 1) {
        report.error(value.at, "a pattern is one glob or one regex", "{ regex = \"...\" }");
        return std::nullopt;
    }
    const Member& member = table->front();
    const Text* const text = want_text(member.value, member.key, report);
    if (text == nullptr) return std::nullopt;
    return Pattern{member.key == "regex" ? Pattern::Kind::kRegex : glob, *text};
}

std::string pattern_words(const Pattern& pattern) {
    const bool regex = pattern.kind == Pattern::Kind::kRegex;
    return fmt::format("{}\"{}\"", regex ? "regex " : "", pattern.text.text);
}

std::vector<Pattern> type_patterns(const Value& value, Field field, std::string_view key,
                                   Report& report, std::string& ret_words) {
    std::vector<Pattern> patterns;
    for (const Value& item : one_or_many(value, key, report)) {
        auto pattern = type_pattern(item, field, key, report);
        if (!pattern) continue;
        ret_words += (ret_words.empty() ? "" : " or ") + pattern_words(*pattern);
        patterns.push_back(std::move(*pattern));
    }
    return patterns;
}

Predicate pattern_test(const Member& member, Field field, Report& report) {
    std::string words;
    PatternTest test{field, type_patterns(member.value, field, member.key, report, words)};
    return {member.key_at, fmt::format("{} = {}", member.key, words), std::move(test)};
}

Predicate id_test(const Member& member, Field field, Report& report) {
    IdTest test{field, {}};
    std::string words;
    for (const Value& item : one_or_many(member.value, member.key, report)) {
        const auto* const number = item.as<int64_t>();
        const Text* const name = item.as<Text>();
        const bool fits = number != nullptr && *number >= 0 && *number < UINT32_MAX;
        if (!fits && (name == nullptr || name->text.empty())) {
            report.error(item.at, fmt::format("this is no {}", member.key),
                         "a name, or a number from 0 to 4294967294");
            continue;
        }
        words += words.empty() ? "" : " or ";
        if (fits) {
            test.any_of.emplace_back(static_cast<uint32_t>(*number));
            words += std::to_string(*number);
        } else {
            test.any_of.emplace_back(name->text);
            words += fmt::format("\"{}\"", name->text);
        }
    }
    return {member.key_at, fmt::format("{} = {}", member.key, words), std::move(test)};
}

Predicate env_variable(const Member& member, Report& report) {
    EnvTest test{member.key, true, {}};
    if (const bool* set = member.value.as<bool>()) {
        test.set = *set;
        return {member.key_at, fmt::format("env.{} = {}", member.key, *set), std::move(test)};
    }
    std::string words;
    test.any_of = type_patterns(member.value, Field::kEnv, member.key, report, words);
    return {member.key_at, fmt::format("env.{} = {}", member.key, words), std::move(test)};
}

// env = { NAME = pattern, OTHER = true }: all of them.
Predicate env_test(const Member& member, Report& report) {
    All all;
    const Table* const table = want_table(member.value, member.key, report);
    if (table != nullptr && table->empty()) {
        report.error(member.value.at, "'env' names no variable", "{ NAME = \"glob\" }");
    }
    if (table != nullptr) {
        for (const Member& variable : *table) all.of.push_back(env_variable(variable, report));
    }
    return {member.key_at, {}, std::move(all)};
}

struct Unit {
    std::string_view name;
    uint64_t factor;
};
constexpr Unit kBytes[] = {{"", 1},           {"B", 1},
                           {"K", 1ULL << 10}, {"KiB", 1ULL << 10},
                           {"M", 1ULL << 20}, {"MiB", 1ULL << 20},
                           {"G", 1ULL << 30}, {"GiB", 1ULL << 30},
                           {"T", 1ULL << 40}, {"TiB", 1ULL << 40}};
constexpr Unit kSeconds[] = {{"s", 1}, {"min", 60}, {"h", 3600}, {"d", 86400}};

std::optional<uint64_t> read_quantity(std::string_view text, std::span<const Unit> units) {
    uint64_t number = 0;
    const auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (err != std::errc{}) return std::nullopt;
    const Word rest = Word{text}.slice(static_cast<size_t>(end - text.data())).trimmed();
    for (const Unit& unit : units) {
        if (unit.name == rest.text && number <= UINT64_MAX / unit.factor) {
            return number * unit.factor;
        }
    }
    return std::nullopt;
}

Predicate number_test(const Member& member, Field field, Report& report) {
    NumberTest test{field, Comparison::kGreaterOrEqual, 0};
    Predicate none{member.key_at, {}, test};
    const Text* const text = want_text(member.value, member.key, report);
    if (text == nullptr) return none;
    const size_t digits = std::min(text->text.find_first_of("0123456789"), text->text.size());
    const std::string_view sign = Word{text->text}.slice(0, digits).trimmed().text;
    const auto* const known = std::find(std::begin(kComparisons), std::end(kComparisons), sign);
    const bool bytes = field == Field::kResident;
    const auto number = read_quantity(Word{text->text}.slice(digits).trimmed().text,
                                      bytes ? std::span<const Unit>(kBytes) : kSeconds);
    if (known == std::end(kComparisons) || !number) {
        report.error(text->at,
                     fmt::format("{} is no comparison of '{}'", quoted(text->text), member.key),
                     bytes ? "<, <=, > or >= and a size: \">= 512M\", K, M, G or T"
                           : "<, <=, > or >= and a time: \">= 10min\", s, min, h or d");
        return none;
    }
    test.comparison = static_cast<Comparison>(known - std::begin(kComparisons));
    test.number = *number;
    return {member.key_at, fmt::format("{} {}", member.key, text->text), test};
}

std::vector<Predicate> type_all_of(const Member& member, Report& report) {
    std::vector<Predicate> of;
    const Array* const array = member.value.as<Array>();
    if (array == nullptr || array->empty()) {
        report.error(member.value.at, fmt::format("'{}' is no list of matches", member.key),
                     "[{ comm = \"...\" }, { user = \"...\" }]");
        return of;
    }
    for (const Value& item : *array) of.push_back(type_match(item, member.key, report));
    return of;
}

Predicate type_member(const Member& member, Report& report) {
    if (member.key == "all") return {member.key_at, {}, All{type_all_of(member, report)}};
    if (member.key == "any") return {member.key_at, {}, Any{type_all_of(member, report)}};
    if (member.key == "not")
        return {member.key_at, {}, Not{{type_match(member.value, member.key, report)}}};
    unsigned index = 0;
    while (index < kFieldCount && kFieldNames[index] != member.key) ++index;
    const auto field = static_cast<Field>(index);
    switch (field) {
        case Field::kUser:
        case Field::kGroup:
            return id_test(member, field, report);
        case Field::kEnv:
            return env_test(member, report);
        case Field::kResident:
        case Field::kAge:
            return number_test(member, field, report);
        default:
            return pattern_test(member, field, report);
    }
}

}  // namespace

Predicate type_match(const Value& value, std::string_view key, Report& report) {
    All all;
    const Table* const table = want_table(value, key, report);
    if (table == nullptr) return {value.at, {}, std::move(all)};
    check_keys(*table, kMatchKeys, "a match", report);
    for (const Member& member : *table) {
        const auto* const known =
            std::find(std::begin(kMatchKeys), std::end(kMatchKeys), member.key);
        if (known != std::end(kMatchKeys)) all.of.push_back(type_member(member, report));
    }
    if (all.of.size() == 1) return std::move(all.of.front());
    return {value.at, {}, std::move(all)};
}

}  // namespace mpol::rules

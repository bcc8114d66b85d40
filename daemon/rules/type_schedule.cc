// SPDX-License-Identifier: Apache-2.0
// The "schedule" of a rule: one table, or an array of them.
#include <fmt/format.h>

#include <algorithm>

#include "daemon/rules/typed.h"
#include "daemon/rules/typing.h"
#include "policy/word.h"

namespace mpol::rules {
namespace {

constexpr std::string_view kKeys[] = {"from", "to", "days"};
constexpr unsigned kDays = 7;

std::optional<unsigned> read_clock(std::string_view text) {
    if (text.size() != 5 || text[2] != ':') return std::nullopt;
    for (const size_t index : {0, 1, 3, 4}) {
        if (!is_digit(text[index])) return std::nullopt;
    }
    const auto pair = [&](size_t at) {
        return static_cast<unsigned>((text[at] - '0') * 10 + (text[at + 1] - '0'));
    };
    if (pair(0) > 23 || pair(3) > 59) return std::nullopt;
    return pair(0) * 60 + pair(3);
}

unsigned type_clock(const Table& table, std::string_view key, Report& report) {
    const Member* const member = find(table, key);
    if (member == nullptr) return 0;
    const Text* const text = want_text(member->value, key, report);
    if (text == nullptr) return 0;
    const auto minute = read_clock(text->text);
    if (!minute) {
        report.error(text->at, fmt::format("{} is no time of day", quoted(text->text)),
                     "\"00:00\" to \"23:59\"");
    }
    return minute.value_or(0);
}

std::optional<unsigned> weekday(std::string_view name) {
    for (unsigned day = 0; day < kDays; ++day) {
        if (kDayNames[day] == name) return day;
    }
    return std::nullopt;
}

// "sat", or "mon-fri", which may run over the end of the week; 0: neither.
uint8_t read_days(std::string_view text) {
    const size_t dash = std::min(text.find('-'), text.size());
    const auto first = weekday(text.substr(0, dash));
    const auto last = dash == text.size() ? first : weekday(text.substr(dash + 1));
    if (!first || !last) return 0;
    unsigned days = 0;
    for (unsigned day = *first;; day = (day + 1) % kDays) {
        days |= 1U << day;
        if (day == *last) return static_cast<uint8_t>(days);
    }
}

uint8_t type_days(const Value& value, Report& report) {
    unsigned days = 0;
    for (const Value& item : one_or_many(value, "days", report)) {
        const Text* const text = want_text(item, "days", report);
        if (text == nullptr) continue;
        const uint8_t some = read_days(text->text);
        if (some == 0) {
            report.error(text->at, fmt::format("{} is no day", quoted(text->text)),
                         "mon, tue, wed, thu, fri, sat, sun, or two of them as in \"mon-fri\"");
        }
        days |= some;
    }
    return static_cast<uint8_t>(days);
}

Window type_window(const Value& value, Report& report) {
    Window window;
    const Table* const table = want_table(value, "schedule", report);
    if (table == nullptr) return window;
    check_keys(*table, kKeys, "a schedule", report);
    const Member* const days = find(*table, "days");
    const bool from = find(*table, "from") != nullptr;
    const bool to = find(*table, "to") != nullptr;
    if (from != to || (!from && days == nullptr)) {
        report.error(value.at, "a schedule has a beginning and an end, or days, or all three",
                     "{ from = \"22:00\", to = \"06:00\", days = [\"mon-fri\"] }");
    }
    window.from = type_clock(*table, "from", report);
    window.to = type_clock(*table, "to", report);
    if (days != nullptr) window.days = type_days(days->value, report);
    return window;
}

}  // namespace

std::vector<Window> type_schedule(const Value& value, Report& report) {
    std::vector<Window> windows;
    for (const Value& item : one_or_many(value, "schedule", report)) {
        windows.push_back(type_window(item, report));
    }
    return windows;
}

}  // namespace mpol::rules

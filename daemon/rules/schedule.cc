// SPDX-License-Identifier: Apache-2.0
#include "daemon/rules/schedule.h"

#include <fmt/format.h>

#include <algorithm>

namespace mpol::rules {
namespace {

constexpr unsigned kDays = 7;

bool on(const Window& window, unsigned weekday) {
    return (window.days >> weekday & 1U) != 0;
}

// The week begins on Monday where days are named.
std::string days_words(uint8_t days) {
    const auto has = [&](unsigned index) { return (days >> (index + 1) % kDays & 1U) != 0; };
    const auto name = [&](unsigned index) { return kDayNames[(index + 1) % kDays]; };
    std::string out;
    for (unsigned first = 0; first < kDays; ++first) {
        if (!has(first)) continue;
        unsigned last = first;
        while (last + 1 < kDays && has(last + 1)) ++last;
        out += out.empty() ? "" : ",";
        out += name(first);
        if (last > first) out += fmt::format("{}{}", last > first + 1 ? "-" : ",", name(last));
        first = last;
    }
    return out;
}

}  // namespace

bool contains(const Window& window, const Moment& moment) {
    const unsigned yesterday = (moment.weekday + kDays - 1) % kDays;
    if (window.from < window.to) {
        return on(window, moment.weekday) && moment.minute >= window.from &&
               moment.minute < window.to;
    }
    return (on(window, moment.weekday) && moment.minute >= window.from) ||
           (on(window, yesterday) && moment.minute < window.to);
}

bool in_schedule(const std::vector<Window>& windows, const Moment& moment) {
    return windows.empty() ||
           std::any_of(windows.begin(), windows.end(),
                       [&](const Window& window) { return contains(window, moment); });
}

std::string schedule_words(const std::vector<Window>& windows) {
    if (windows.empty()) return "always";
    std::string out;
    for (const Window& window : windows) {
        if (!out.empty()) out += ", ";
        out += fmt::format("{:02}:{:02}-{:02}:{:02}", window.from / 60, window.from % 60,
                           window.to / 60, window.to % 60);
        if (window.days != kEveryDay) out += " " + days_words(window.days);
    }
    return out;
}

}  // namespace mpol::rules

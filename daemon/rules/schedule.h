// SPDX-License-Identifier: Apache-2.0
// When a rule holds: windows of the week, in local time. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mpol::rules {

inline constexpr unsigned kMinutesOfDay = 24 * 60;
inline constexpr uint8_t kEveryDay = 0x7f;
inline constexpr std::string_view kDayNames[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

// A moment of the week; weekday as in struct tm: 0 is Sunday.
struct Moment {
    unsigned weekday = 0;
    unsigned minute = 0;  // of the day
};

// From `from` until just before `to`. When to is not later than from, the window ends on the next
// day, and days are those on which it begins.
struct Window {
    unsigned from = 0;  // minute of the day
    unsigned to = 0;
    uint8_t days = kEveryDay;  // bit n: weekday n
};

[[nodiscard]] bool contains(const Window& window, const Moment& moment);
// No windows: always.
[[nodiscard]] bool in_schedule(const std::vector<Window>& windows, const Moment& moment);

// "22:00-06:00 mon-fri"; "always" for none.
[[nodiscard]] std::string schedule_words(const std::vector<Window>& windows);

}  // namespace mpol::rules

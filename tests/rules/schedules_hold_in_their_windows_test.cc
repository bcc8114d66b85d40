// SPDX-License-Identifier: Apache-2.0
#include "rules.h"

namespace mpol::rules::test {
namespace {

enum Day : unsigned { kSun, kMon, kTue, kWed, kThu, kFri, kSat };

constexpr unsigned at(unsigned hour, unsigned minute = 0) {
    return hour * 60 + minute;
}

std::vector<Window> schedule(const std::string& text) {
    const CompiledRules rules = compiled(rule("{}", "schedule = " + text));
    return rules.rules.empty() ? std::vector<Window>{} : rules.rules[0].schedule;
}

TEST(Schedule, EndsJustBeforeItsEnd) {
    const auto windows = schedule("{ from = '09:00', to = '17:30' }");
    EXPECT_FALSE(in_schedule(windows, {kMon, at(8, 59)}));
    EXPECT_TRUE(in_schedule(windows, {kMon, at(9)}));
    EXPECT_TRUE(in_schedule(windows, {kSun, at(17, 29)}));
    EXPECT_FALSE(in_schedule(windows, {kMon, at(17, 30)}));
}

TEST(Schedule, RunsOverMidnightOnTheDaysOnWhichItBegins) {
    const auto windows = schedule("{ from = '22:00', to = '06:00', days = ['mon-fri'] }");
    EXPECT_TRUE(in_schedule(windows, {kFri, at(23)}));
    EXPECT_TRUE(in_schedule(windows, {kSat, at(5, 59)}));
    EXPECT_FALSE(in_schedule(windows, {kSat, at(6)}));
    EXPECT_FALSE(in_schedule(windows, {kSat, at(23)}));
    EXPECT_FALSE(in_schedule(windows, {kMon, at(5)}));
    EXPECT_TRUE(in_schedule(windows, {kTue, at(5)}));
}

TEST(Schedule, OfDaysAloneIsAllDay) {
    const auto windows = schedule("{ days = 'sat-mon' }");
    EXPECT_TRUE(in_schedule(windows, {kSat, at(0)}));
    EXPECT_TRUE(in_schedule(windows, {kSun, at(12)}));
    EXPECT_TRUE(in_schedule(windows, {kMon, at(23, 59)}));
    EXPECT_FALSE(in_schedule(windows, {kTue, at(0)}));
}

TEST(Schedule, OfSeveralWindowsHoldsInAny) {
    const auto windows = schedule("[{ from = '01:00', to = '02:00' }, { days = ['wed'] }]");
    EXPECT_TRUE(in_schedule(windows, {kMon, at(1, 30)}));
    EXPECT_TRUE(in_schedule(windows, {kWed, at(12)}));
    EXPECT_FALSE(in_schedule(windows, {kMon, at(12)}));
}

TEST(Schedule, IsWrittenAsItIsRead) {
    EXPECT_EQ(
        schedule_words(schedule("{ from = '22:00', to = '06:00', days = ['mon-fri', 'sun'] }")),
        "22:00-06:00 mon-fri,sun");
    EXPECT_EQ(
        schedule_words(schedule("[{ days = ['sat', 'sun'] }, { from = '00:05', to = '00:06' }]")),
        "00:00-00:00 sat,sun, 00:05-00:06");
    EXPECT_EQ(schedule_words({}), "always");
}

}  // namespace
}  // namespace mpol::rules::test

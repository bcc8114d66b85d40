// SPDX-License-Identifier: Apache-2.0
// Every call of the library fails in turn, alone and from there on, with each plausible errno,
// while the program is rewritten from outside. Calls that plain jemalloc never makes: the program
// says exactly what it says otherwise. Other calls: it says so too, but for allocations, threads
// and children that it can't have, which plain jemalloc under the same faults is the yardstick for.
//
// A call is made in many places; here a few of them are tried, spread over all. MPOL_FAULTS=all:
// every one of them. A failure prints which it was, and MPOL_FAULTS=mbind:17:EPERM runs that one
// alone (and of a call that plain jemalloc makes too, what that suffers at the worst).
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <climits>
#include <iostream>
#include <set>

#include "calls.h"
#include "faults.h"
#include "replay.h"

namespace mpol::test {
namespace {

constexpr size_t kSumCharacters = sizeof("sum 0123456789abcdef") - 1;

enum class Places { kSome, kAllOfFew };
constexpr unsigned kFew = 32;

// Of the calls 1 to count: the first, the last and some between.
std::set<unsigned> places(unsigned count, Places which) {
    const unsigned wanted =
        wanted_faults().all() || (which == Places::kAllOfFew && count <= kFew) ? count : 3;
    std::set<unsigned> found;
    for (unsigned i = 0; i < wanted && count > 0; ++i) {
        found.insert(wanted == 1 ? 1 : 1 + i * (count - 1) / (wanted - 1));
    }
    return found;
}

// Where the fault is to strike: of the one that MPOL_FAULTS names, there only.
std::set<unsigned> wanted_places(const Call& call, int err, bool onward, const Plan& plan) {
    if (const auto& one = wanted_faults().one()) {
        const bool is_it = one->call == call.name && one->err == err && one->onward == onward;
        return is_it ? std::set{one->place} : std::set<unsigned>{};
    }
    return places(run_with(call, {}, plan).seen, Places::kSome);
}

bool is_left_out(const Call& call) {
    return wanted_faults().one() && wanted_faults().one()->call != call.name;
}

// Calls check with the outcome of each of the faults; returns how many struck.
template <class Check>
unsigned at_each_place(const Call& call, int err, bool onward, const Plan& plan,
                       const std::set<unsigned>& wanted, Check check) {
    unsigned struck = 0;
    for (const unsigned place : wanted) {
        const Fault fault{err, place, onward ? UINT_MAX : place};
        SCOPED_TRACE(fmt::format("MPOL_FAULTS={} at commit {}",
                                 NamedFault{call.name, place, onward, err}.words(), commit()));
        Plan turning = plan;
        // Others each time, and the same for the same fault.
        turning.policies = static_cast<int>(place) + err + onward;
        const Outcome outcome = run_with(call, fault, turning);
        if (outcome.failed > 0) ++struck;
        check(outcome);
    }
    return struck;
}

// What a program suffers at the worst when calls of one kind fail.
struct Worst {
    int status = 0;
    uint64_t changed_errno = 0;
    uint64_t nulls = 0;
    uint64_t refused = 0;
};

Worst worst_of_plain_jemalloc(const Call& call, int err, bool onward) {
    Worst worst;
    const Plan plan{.allocator = Allocator::kPlainJemalloc, .from_start = false};
    // All, where they are of several kinds: mmap is called for threads' stacks too.
    const auto note = [&](const Outcome& outcome) {
        if (outcome.status != 0) {
            worst.status = outcome.status;
            return;
        }
        worst.changed_errno = std::max(worst.changed_errno, outcome.number("errno"));
        worst.nulls = std::max(worst.nulls, outcome.number("nulls"));
        worst.refused = std::max(worst.refused, outcome.number("refused"));
    };
    const auto all = places(run_with(call, {}, plan).seen, Places::kAllOfFew);
    at_each_place(call, err, onward, plan, all, note);
    return worst;
}

// Each failed call may cost the program one allocation, thread or child, where it may cost it one
// with plain jemalloc.
void expect_no_worse(const Outcome& ours, const Worst& theirs, const Outcome& undisturbed) {
    if (theirs.status == 0) {
        ASSERT_EQ(ours.status, 0) << ours.last;
    } else {
        ASSERT_NE(ours.status, -1) << "it hangs";
    }
    if (ours.status != 0) return;
    EXPECT_EQ(ours.number("corrupt"), 0U);
    EXPECT_EQ(ours.last.substr(0, kSumCharacters), undisturbed.last.substr(0, kSumCharacters));
    EXPECT_LE(ours.number("nulls"), theirs.nulls == 0 ? 0 : ours.failed) << ours.last;
    EXPECT_LE(ours.number("refused"), theirs.refused == 0 ? 0 : ours.failed) << ours.last;
    if (theirs.changed_errno == 0) {
        EXPECT_EQ(ours.number("errno"), 0U) << ours.last;
    }
}

struct Name {
    std::string operator()(const testing::TestParamInfo<Call>& info) const {
        return info.param.name;
    }
};

}  // namespace

class OwnCall : public testing::TestWithParam<Call> {};
class CommonCall : public testing::TestWithParam<Call> {};

TEST_P(OwnCall, FailsAndTheProgramDoesNotNotice) {
    const std::string missing = why_no_injection();
    if (!missing.empty()) GTEST_SKIP() << missing;
    const Call& call = GetParam();
    if (is_left_out(call)) GTEST_SKIP() << "MPOL_FAULTS names another call";
    const Outcome undisturbed = run_with(call, {});
    ASSERT_EQ(undisturbed.status, 0) << undisturbed.last;
    ASSERT_EQ(undisturbed.number("corrupt"), 0U) << undisturbed.last;
    if (undisturbed.seen == 0) GTEST_SKIP() << "the library does not make this call here";
    unsigned struck = 0;
    for (const int err : call.errnos) {
        for (const bool onward : {false, true}) {
            const auto wanted = wanted_places(call, err, onward, {});
            struck += at_each_place(call, err, onward, {}, wanted, [&](const Outcome& outcome) {
                EXPECT_EQ(outcome.status, 0) << (outcome.status == -1 ? "it hangs" : outcome.last);
                EXPECT_EQ(outcome.last, undisturbed.last);
            });
        }
    }
    if (struck == 0 && call.by_chance)
        GTEST_SKIP() << "made by chance, and not when it was to fail";
    std::cout << fmt::format("{} calls, {} faults struck\n", undisturbed.seen, struck);
    EXPECT_GT(struck, 0U);
}

INSTANTIATE_TEST_SUITE_P(Faults, OwnCall, testing::ValuesIn(calls_of_ours()), Name());

TEST_P(CommonCall, FailsAndTheProgramFaresNoWorseThanWithPlainJemalloc) {
    const std::string missing = why_no_injection();
    if (!missing.empty()) GTEST_SKIP() << missing;
    const Call& call = GetParam();
    if (is_left_out(call)) GTEST_SKIP() << "MPOL_FAULTS names another call";
    const Plan ours{.from_start = false};
    const Outcome undisturbed = run_with(call, {}, ours);
    ASSERT_EQ(undisturbed.status, 0) << undisturbed.last;
    if (undisturbed.seen == 0) GTEST_SKIP() << "nobody makes this call here";
    unsigned struck = 0;
    for (const int err : call.errnos) {
        for (const bool onward : {false, true}) {
            const auto wanted = wanted_places(call, err, onward, ours);
            if (wanted.empty()) continue;
            const Worst theirs = worst_of_plain_jemalloc(call, err, onward);
            struck += at_each_place(call, err, onward, ours, wanted, [&](const Outcome& outcome) {
                expect_no_worse(outcome, theirs, undisturbed);
            });
        }
    }
    std::cout << fmt::format("{} calls, {} faults struck\n", undisturbed.seen, struck);
    EXPECT_GT(struck, 0U);
}

INSTANTIATE_TEST_SUITE_P(Faults, CommonCall, testing::ValuesIn(calls_of_any_allocator()), Name());

}  // namespace mpol::test

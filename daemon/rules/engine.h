// SPDX-License-Identifier: Apache-2.0
// Fourth stage: which rule a process is under, and why. Pure: rules, facts and a moment in, a
// decision with its reasons out.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "daemon/rules/compile.h"
#include "daemon/rules/facts.h"

namespace mpol::rules {

// A fact that can't be read is neither the one nor the other, and nor is its negation: a rule that
// hangs on it does not match.
enum class Truth : uint8_t { kFalse, kTrue, kUnknown };

// A test that decided, and what was found.
struct Reason {
    Location at{};
    std::string test;   // "comm = \"redis-*\""
    std::string found;  // "comm is 'postgres'": bytes of the process, to be escaped when printed
};
// More reasons for one rule say no more.
inline constexpr size_t kReasonsMax = 16;

enum class Outcome : uint8_t {
    kWon,
    kLost,         // matches too, but a rule before it won
    kOffSchedule,  // matches, but not at this time
    kNoMatch,
    kUnknown,  // can't be told
};
[[nodiscard]] std::string_view outcome_word(Outcome outcome);

struct Verdict {
    size_t rule = 0;  // in CompiledRules::rules
    Outcome outcome{};
    std::vector<Reason> reasons;
};

struct ThreadDecision {
    ThreadFact thread;
    size_t thread_rule = 0;  // of the winner
};

struct Decision {
    std::optional<size_t> winner;   // in CompiledRules::rules
    std::vector<Verdict> verdicts;  // one for each rule, in order
    std::vector<ThreadDecision> threads;
};

[[nodiscard]] Decision decide(const CompiledRules& rules, const Facts& facts, const Moment& now);

// Part of decide(): adds the reasons for the answer.
[[nodiscard]] Truth holds(const Predicate& predicate, const Facts& facts,
                          std::vector<Reason>& ret_reasons);
// Part of holds(): a test that is no combination; what was found goes to ret_found.
[[nodiscard]] Truth test_holds(const Predicate& predicate, const Facts& facts,
                               std::string& ret_found);

}  // namespace mpol::rules

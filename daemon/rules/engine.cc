// SPDX-License-Identifier: Apache-2.0
#include "daemon/rules/engine.h"

#include <algorithm>

namespace mpol::rules {
namespace {

void add(std::vector<Reason>& to, std::vector<Reason> reasons) {
    for (Reason& reason : reasons) {
        if (to.size() < kReasonsMax) to.push_back(std::move(reason));
    }
}

// all: kFalse decides at once; any: kTrue does. Undecided, every part is a reason, but of an
// unknown answer only the unknown parts are.
Truth combine(const std::vector<Predicate>& parts, Truth decisive, const Facts& facts,
              std::vector<Reason>& ret_reasons) {
    std::vector<Reason> known;
    std::vector<Reason> unknown;
    bool is_unknown = false;
    for (const Predicate& part : parts) {
        std::vector<Reason> reasons;
        const Truth truth = holds(part, facts, reasons);
        if (truth == decisive) {
            add(ret_reasons, std::move(reasons));
            return truth;
        }
        is_unknown = is_unknown || truth == Truth::kUnknown;
        add(truth == Truth::kUnknown ? unknown : known, std::move(reasons));
    }
    add(ret_reasons, std::move(is_unknown ? unknown : known));
    if (is_unknown) return Truth::kUnknown;
    return decisive == Truth::kTrue ? Truth::kFalse : Truth::kTrue;
}

Truth inverted(Truth truth) {
    if (truth == Truth::kUnknown) return truth;
    return truth == Truth::kTrue ? Truth::kFalse : Truth::kTrue;
}

Verdict judge(const Rule& rule, size_t index, const Facts& facts, const Moment& now, bool decided) {
    Verdict verdict{index, Outcome::kNoMatch, {}};
    switch (holds(rule.match, facts, verdict.reasons)) {
        case Truth::kFalse:
            break;
        case Truth::kUnknown:
            verdict.outcome = Outcome::kUnknown;
            break;
        case Truth::kTrue:
            verdict.outcome = !in_schedule(rule.schedule, now) ? Outcome::kOffSchedule
                              : decided                        ? Outcome::kLost
                                                               : Outcome::kWon;
    }
    return verdict;
}

std::vector<ThreadDecision> decide_threads(const Rule& rule, const Facts& facts) {
    std::vector<ThreadDecision> decisions;
    if (!facts.threads) return decisions;
    for (const ThreadFact& thread : *facts.threads) {
        for (size_t index = 0; index < rule.threads.size(); ++index) {
            const auto& names = rule.threads[index].names;
            if (std::none_of(names.begin(), names.end(),
                             [&](const Pattern& name) { return name.matches(thread.name); })) {
                continue;
            }
            decisions.push_back({thread, index});
            break;
        }
    }
    return decisions;
}

}  // namespace

std::string_view outcome_word(Outcome outcome) {
    constexpr std::string_view kWords[] = {"won", "lost", "off schedule", "no match", "unknown"};
    return kWords[static_cast<unsigned>(outcome)];
}

Truth holds(const Predicate& predicate, const Facts& facts, std::vector<Reason>& ret_reasons) {
    if (const auto* all = std::get_if<All>(&predicate.is)) {
        return combine(all->of, Truth::kFalse, facts, ret_reasons);
    }
    if (const auto* any = std::get_if<Any>(&predicate.is)) {
        return combine(any->of, Truth::kTrue, facts, ret_reasons);
    }
    if (const auto* negated = std::get_if<Not>(&predicate.is)) {
        std::vector<Reason> reasons;
        const Truth truth = holds(negated->of.front(), facts, reasons);
        for (Reason& reason : reasons) reason.test = "not " + reason.test;
        add(ret_reasons, std::move(reasons));
        return inverted(truth);
    }
    Reason reason{predicate.at, predicate.text, {}};
    const Truth truth = test_holds(predicate, facts, reason.found);
    add(ret_reasons, {std::move(reason)});
    return truth;
}

Decision decide(const CompiledRules& rules, const Facts& facts, const Moment& now) {
    Decision decision;
    for (size_t index = 0; index < rules.rules.size(); ++index) {
        const Rule& rule = rules.rules[index];
        Verdict verdict = judge(rule, index, facts, now, decision.winner.has_value());
        if (verdict.outcome == Outcome::kWon) {
            decision.winner = index;
            decision.threads = decide_threads(rule, facts);
        }
        decision.verdicts.push_back(std::move(verdict));
    }
    return decision;
}

}  // namespace mpol::rules

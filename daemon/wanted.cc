// SPDX-License-Identifier: Apache-2.0
#include "daemon/wanted.h"

#include <fmt/format.h>

namespace mpol::daemon {
namespace {

constexpr rules::FieldSet bit(rules::Field field) {
    return 1U << static_cast<unsigned>(field);
}
constexpr rules::FieldSet kUntold = bit(rules::Field::kAge) | bit(rules::Field::kResident);

// A rule whose answer can't be told without the age and the size, up to the one that won.
bool hangs_on_untold(const RuleSet& rules, rules::Facts facts, const rules::Decision& decision,
                     const rules::Moment& now) {
    if ((rules.compiled.needs & kUntold) == 0) return false;
    facts.age_s.reset();
    facts.resident_bytes.reset();
    const rules::Decision without = rules::decide(rules.compiled, facts, now);
    for (size_t i = 0; i < without.verdicts.size(); ++i) {
        const rules::Outcome with = decision.verdicts[i].outcome;
        const bool told = without.verdicts[i].outcome != rules::Outcome::kUnknown;
        if (!told && with != rules::Outcome::kUnknown) return true;
        if (with == rules::Outcome::kWon) return false;
    }
    return false;
}

// What the same action comes to is worked out once: a rule may give thousands of threads one
// policy.
class Planner {
  public:
    Planner(const rules::Topology& topology, rules::TargetNodes target)
        : topology_(topology), target_(std::move(target)) {}

    void add(const rules::Action& action, std::optional<rules::ThreadFact> thread, Wanted& wanted) {
        if (last_ != &action) {
            planned_ = rules::plan(action, topology_, target_);
            last_ = &action;
        }
        if (*planned_) {
            const rules::Resolved& resolved = **planned_;
            wanted.scopes.push_back(
                {std::move(thread), resolved.policy, resolved.text, action.migrate});
        } else if (wanted.problem.empty()) {
            const rules::BadPolicy& bad = planned_->error();
            wanted.problem = fmt::format("{}: {}", bad.text, bad.error.problem);
        }
    }

  private:
    const rules::Topology& topology_;
    rules::TargetNodes target_;
    const rules::Action* last_ = nullptr;
    std::optional<rules::Planned> planned_;
};

}  // namespace

RuleSet rule_set_of(rules::CompiledRules compiled) {
    RuleSet set;
    for (const rules::Rule& rule : compiled.rules) {
        set.names.push_back(
            std::make_shared<RuleName>(RuleName{rule.name, rule.file, rule.at.line}));
        set.scheduled = set.scheduled || !rule.schedule.empty();
    }
    set.compiled = std::move(compiled);
    return set;
}

std::optional<Wanted> wanted_of(pid_t pid, const RuleSet& rules, const rules::Topology& topology,
                                const rules::Moment& now) {
    const auto facts = rules::read_facts(pid, rules.compiled.needs);
    if (!facts) return std::nullopt;
    const rules::Decision decision = rules::decide(rules.compiled, *facts, now);
    Wanted wanted;
    wanted.comm = facts->comm.value_or("");
    wanted.changes_by_itself = hangs_on_untold(rules, *facts, decision, now);
    if (!decision.winner) return wanted;
    wanted.rule = rules.names[*decision.winner];
    const rules::Rule& rule = rules.compiled.rules[*decision.winner];
    if (!rule.action && decision.threads.empty()) return wanted;
    auto target = rules::read_target_nodes(pid, topology);
    if (!target) return std::nullopt;
    Planner planner(topology, std::move(*target));
    if (rule.action) planner.add(*rule.action, std::nullopt, wanted);
    for (const rules::ThreadDecision& one : decision.threads) {
        planner.add(rule.threads[one.thread_rule].action, one.thread, wanted);
    }
    return wanted;
}

}  // namespace mpol::daemon

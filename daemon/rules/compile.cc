// SPDX-License-Identifier: Apache-2.0
#include "daemon/rules/compile.h"

#include <algorithm>

namespace mpol::rules {
namespace {

template <class... Ts>
struct Overloaded : Ts... {
    using Ts::operator()...;
};
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

void report_inside(const Text& text, const ParseError& error, Report& report) {
    report.error(inside(text, error.offset, error.length), error.problem, error.accepted);
}

class Compiler {
  public:
    explicit Compiler(Report& report) : report_(report) {}

    void rule(Rule& rule) {
        predicate(rule.match);
        if (rule.action) action(*rule.action);
        for (ThreadRule& thread : rule.threads) {
            patterns(thread.names);
            action(thread.action);
        }
    }

  private:
    void patterns(std::vector<Pattern>& list) {
        for (Pattern& pattern : list) {
            const auto done = compile_pattern(pattern);
            if (!done) report_inside(pattern.text, done.error(), report_);
        }
    }

    void predicate(Predicate& it) {
        const auto all = [&](auto& node) {
            for (Predicate& child : node.of) predicate(child);
        };
        std::visit(
            Overloaded{[&](PatternTest& test) { patterns(test.any_of); },
                       [&](EnvTest& test) { patterns(test.any_of); }, [&](All& node) { all(node); },
                       [&](Any& node) { all(node); }, [&](Not& node) { all(node); }, [](auto&) {}},
            it.is);
    }

    void action(Action& action) {
        if (action.policy.at.line == 0) return;  // was no string
        auto policy = compile_policy(action.policy.text);
        if (!policy) return report_inside(action.policy, policy.error(), report_);
        action.compiled = std::move(*policy);
        if (!action.weights) return;
        if (action.policy.text.find(";weights=") != std::string::npos) {
            report_.error(action.weights->at, "the policy has weights already", "one of the two");
        }
        action.compiled.text += ";weights=" + action.weights->text;
    }

    Report& report_;
};

struct Count {
    FieldSet needs = 0;
    size_t patterns = 0;

    void need(Field field) { needs |= 1U << static_cast<unsigned>(field); }

    void of(const Predicate& it) {
        const auto all = [&](const auto& node) {
            for (const Predicate& child : node.of) of(child);
        };
        std::visit(Overloaded{[&](const PatternTest& test) {
                                  need(test.field);
                                  patterns += test.any_of.size();
                              },
                              [&](const EnvTest& test) {
                                  need(Field::kEnv);
                                  patterns += test.any_of.size();
                              },
                              [&](const IdTest& test) { need(test.field); },
                              [&](const NumberTest& test) { need(test.field); },
                              [&](const auto& node) { all(node); }},
                   it.is);
    }

    void of(const Rule& rule) {
        of(rule.match);
        if (!rule.threads.empty()) need(Field::kThread);
        for (const ThreadRule& thread : rule.threads) patterns += thread.names.size();
    }
};

}  // namespace

void compile(std::vector<Rule>& rules, Report& report) {
    Compiler compiler(report);
    for (Rule& rule : rules) compiler.rule(rule);
}

CompiledRules compile_sources(const std::vector<Source>& sources, Diagnostics& ret_diagnostics) {
    CompiledRules all;
    Count count;
    for (const Source& source : sources) {
        Report report(source, ret_diagnostics);
        const std::optional<Table> tree = parse(source, report);
        if (!tree) continue;
        std::vector<Rule> rules = type_rules(source, *tree, report);
        for (const Rule& rule : rules) count.of(rule);
        if (count.patterns > kPatternsMax) {
            report.error({}, "with this file there are too many patterns",
                         std::to_string(kPatternsMax) + " in all files");
            break;
        }
        compile(rules, report);
        std::move(rules.begin(), rules.end(), std::back_inserter(all.rules));
    }
    sort_by_place(ret_diagnostics);
    if (!ret_diagnostics.empty()) return {};
    all.needs = count.needs;
    std::stable_sort(all.rules.begin(), all.rules.end(),
                     [](const Rule& a, const Rule& b) { return a.priority > b.priority; });
    return all;
}

}  // namespace mpol::rules

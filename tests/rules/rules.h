// SPDX-License-Identifier: Apache-2.0
// Shared by the rules' tests: rules from text, and what is wrong with it.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "daemon/rules/engine.h"

namespace mpol::rules::test {

// Of "rules.toml". Fails the test when something is wrong with it.
inline CompiledRules compiled(const std::string& text) {
    Diagnostics diagnostics;
    CompiledRules rules = compile_sources({{"rules.toml", text}}, diagnostics);
    for (const Diagnostic& one : diagnostics.list) ADD_FAILURE() << render(one);
    return rules;
}

// All that is wrong with "rules.toml", as a user sees it.
inline std::string complaints(const std::string& text) {
    Diagnostics diagnostics;
    (void)compile_sources({{"rules.toml", text}}, diagnostics);
    std::string out;
    for (const Diagnostic& one : diagnostics.list) out += render(one);
    return out;
}

// A rule that matches as given, and does something.
inline std::string rule(const std::string& match, const std::string& more = {}) {
    return "[[rule]]\nname = \"r\"\nmatch = " + match + "\npolicy = \"local\"\n" + more + "\n";
}

// Whether the only rule wins.
inline bool wins(const std::string& match, const Facts& facts) {
    const CompiledRules rules = compiled(rule(match));
    return !rules.rules.empty() && decide(rules, facts, {}).winner.has_value();
}

// What decided about the only rule.
inline std::string found(const std::string& match, const Facts& facts) {
    const CompiledRules rules = compiled(rule(match));
    if (rules.rules.empty()) return "";
    std::string out;
    const Decision decision = decide(rules, facts, {});
    for (const Reason& reason : decision.verdicts[0].reasons) {
        out += (out.empty() ? "" : "; ") + reason.found;
    }
    return out;
}

inline Facts process(const std::string& comm) {
    Facts facts;
    facts.pid = 4242;
    facts.comm = comm;
    return facts;
}

}  // namespace mpol::rules::test

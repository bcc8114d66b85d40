// SPDX-License-Identifier: Apache-2.0
// libFuzzer entry: no rule file crashes a stage; every error lies in the text and is shown; what
// compiles is matched and resolved.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "daemon/rules/engine.h"
#include "machine.h"

namespace {

using namespace mpol::rules;

void require(bool holds) {
    if (!holds) std::abort();
}

Facts some_process() {
    Facts facts;
    facts.pid = 4242;
    facts.comm = "redis-server";
    facts.exe = "/usr/bin/redis-server";
    facts.argv = {"redis-server", "--port", "6379"};
    facts.user = NamedId{107, "redis"};
    facts.cgroup = "/system.slice/redis.service";
    facts.units = units_of(*facts.cgroup);
    facts.threads = {{{4242, "redis-server"}, {4243, "bio_aof"}}};
    facts.resident_bytes = 1 << 30;
    return facts;
}

void check_diagnostics(const Diagnostics& diagnostics, const std::string& text) {
    require(diagnostics.list.size() <= kDiagnosticsMax);
    for (const Diagnostic& one : diagnostics.list) {
        require(!one.problem.empty() && !one.accepted.empty());
        require(text.find(one.line) != std::string::npos);
        for (const char c : render(one)) require(c == '\n' || (c >= ' ' && c <= '~'));
    }
}

void resolve_all(const Rule& rule) {
    const mpol::rules::Topology machine = test::two_sockets_with_expanders();
    const TargetNodes target = test::on(machine, 1);
    if (rule.action) (void)resolve(rule.action->compiled, machine, target);
    for (const ThreadRule& thread : rule.threads) {
        (void)resolve(thread.action.compiled, machine, target);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    Diagnostics diagnostics;
    const CompiledRules compiled = compile_sources({{"rules.toml", text}}, diagnostics);
    check_diagnostics(diagnostics, text);
    require(diagnostics.empty() || compiled.rules.empty());
    const Decision decision = decide(compiled, some_process(), {1, 60});
    require(decision.verdicts.size() == compiled.rules.size());
    for (const Rule& rule : compiled.rules) resolve_all(rule);
    return 0;
}

// SPDX-License-Identifier: Apache-2.0
#include "chaos.h"

#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
#include <iostream>

namespace mpol::test {

unsigned number_from_environment(const char* name, unsigned otherwise) {
    const char* const value = std::getenv(name);
    return value == nullptr ? otherwise : static_cast<unsigned>(std::strtoul(value, nullptr, 10));
}

const std::vector<std::optional<Policy>>& chaos_policies() {
    static const std::vector<std::optional<Policy>> all = {
        std::nullopt,
        bind_to({0}),
        make_policy(Mode::kInterleave, {0}),
        make_policy(Mode::kPreferred, {0}),
        make_policy(Mode::kPreferredMany, {0}),
        make_policy(Mode::kLocal, {}),
    };
    return all;
}

std::optional<unsigned> number_of(const control::Published& read) {
    if (!read.readable) return std::nullopt;
    if (!read.set) return 0;
    for (unsigned i = 1; i < chaos_policies().size(); ++i) {
        const Policy& policy = *chaos_policies()[i];
        if (policy.mode == read.policy.mode && policy.nodes == read.policy.nodes) return i;
    }
    return std::nullopt;
}

void tell_stacks(pid_t pid) {
    for (const pid_t tid : tasks(pid)) {
        const std::string task = fmt::format("/proc/{}/task/{}", pid, tid);
        std::ifstream call(task + "/syscall");
        std::string line;
        std::getline(call, line);
        std::cerr << fmt::format("{} {}: system call {}\n", tid, task_name(pid, tid), line);
        std::ifstream children(task + "/children");
        for (pid_t child = 0; children >> child;) tell_stacks(child);
    }
    const std::string gdb = fmt::format("gdb -batch -p {} -ex 'thread apply all bt 15' 2>&1", pid);
    if (std::system("command -v gdb >/dev/null") == 0) (void)!std::system(gdb.c_str());
}

}  // namespace mpol::test

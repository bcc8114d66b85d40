// SPDX-License-Identifier: Apache-2.0
#include "faults.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>

namespace mpol::test {
namespace {

// Of each thread, its children's too, where it is in the kernel; with gdb, where in the program.
void tell_stacks(pid_t pid) {
    for (const pid_t tid : tasks(pid)) {
        std::ifstream children(fmt::format("/proc/{}/task/{}/children", pid, tid));
        for (pid_t child = 0; children >> child;) tell_stacks(child);
        const std::string task = fmt::format("/proc/{}/task/{}", pid, tid);
        std::ifstream call(task + "/syscall");
        std::string line;
        std::getline(call, line);
        std::cerr << fmt::format("{} {}: system call {}\n", tid, task_name(pid, tid), line);
    }
    const std::string gdb = fmt::format("gdb -batch -p {} -ex 'thread apply all bt 15' 2>&1", pid);
    if (std::system("command -v gdb >/dev/null") == 0) (void)!std::system(gdb.c_str());
}

std::vector<std::optional<Policy>> rotation() {
    return {bind_to({0}), make_policy(Mode::kInterleave, {0}), std::nullopt,
            make_policy(Mode::kPreferred, {0}), make_policy(Mode::kLocal, {})};
}

// What fails here fails because of the fault; the program alone is judged.
void rewrite(pid_t pid, int turn) {
    const std::vector<std::optional<Policy>> policies = rotation();
    const auto policy = [&](int at) { return policies[static_cast<size_t>(at) % policies.size()]; };
    auto target = control::Target::attach(pid, control::Access::kWrite);
    if (!target) return;
    (void)target->publish_process(policy(turn), kWaitMs);
    for (const control::ThreadState& thread : target->threads()) {
        (void)target->publish_thread({thread.slot, thread.tid}, policy(turn + 1), kWaitMs);
    }
    if (turn % 2 == 0) return;
    (void)target->publish_kind({MPOL_CTL_KIND_LARGE, size_t{256} << 10}, policy(turn + 3), false,
                               kWaitMs);
    (void)target->publish_kind({MPOL_CTL_KIND_STACK}, policy(turn + 2), false, kWaitMs);
    (void)target->publish_kind({MPOL_CTL_KIND_MMAP}, policy(turn + 3), false, kWaitMs);
}

Options options_for(const Plan& plan, Injector* injector) {
    Options options{.arguments = plan.arguments, .program = MPOL_FAULT_SUBJECT};
    if (plan.allocator == Allocator::kPlainJemalloc) {
        options.preload = false;
        options.environment = {"LD_PRELOAD=" MPOL_SYSTEM_JEMALLOC};
    }
    options.before_exec = [more = plan.before_exec,
                           filter = injector != nullptr ? injector->before_exec() : nullptr] {
        if (more) more();
        if (filter) filter();
    };
    return options;
}

Outcome run(const Plan& plan, Injector* injector) {
    Outcome outcome;
    Subject subject("faults", options_for(plan, injector));
    const pid_t pid = subject.pid();
    try {
        for (int stage = 0; stage <= 6; ++stage) {
            if (stage == 6) outcome.last = subject.hear();
            subject.hear(fmt::format("stage {}", stage));
            if (stage == 0 && injector != nullptr && !plan.from_start) injector->start_counting();
            if (plan.allocator == Allocator::kOurs) rewrite(pid, plan.policies + stage);
            if (stage == 6 && plan.at_end) plan.at_end(pid);
            subject.tell('g');
        }
        outcome.status = subject.finish();
    } catch (const std::runtime_error& gone) {
        if (std::string(gone.what()).find("in time") != std::string::npos) {
            tell_stacks(pid);
            return outcome;
        }
        outcome.status = subject.finish();
        outcome.last += gone.what();
    }
    return outcome;
}

}  // namespace

uint64_t Outcome::number(const std::string& word) const {
    std::istringstream words(last);
    for (std::string next; words >> next;) {
        if (next == word && words >> next) return std::strtoull(next.c_str(), nullptr, 10);
    }
    return UINT64_MAX;
}

Outcome run_with(const Call& call, const Fault& fault, const Plan& plan) {
    Injector injector(call, fault, plan.from_start);
    Outcome outcome = run(plan, &injector);
    outcome.seen = injector.seen();
    outcome.failed = injector.failed();
    return outcome;
}

std::string doctor(pid_t pid) {
    const std::string command = fmt::format(MPOL_BIN " doctor {} 2>&1", pid);
    const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "re"), ::pclose);
    std::string text;
    std::array<char, 4096> part;
    while (const size_t got = std::fread(part.data(), 1, part.size(), pipe.get())) {
        text.append(part.data(), got);
    }
    return text;
}

Outcome run_plainly(const Plan& plan) {
    return run(plan, nullptr);
}

}  // namespace mpol::test

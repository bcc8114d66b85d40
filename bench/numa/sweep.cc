// SPDX-License-Identifier: Apache-2.0
#include "numa/sweep.h"

#include <fmt/format.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>

#include "numa/progress.h"
#include "sys/sys.h"

namespace mpol::bench {
namespace {

constexpr int kAttachMs = 10'000;
constexpr int kApplyMs = 5'000;
constexpr int kMigrateMs = 60'000;
constexpr uint64_t kMetricNs = 5'000'000'000;  // until its first number
constexpr int kMetricAgainMs = 100;

using control::fail;

control::Result<double> read_metric(const std::string& command, pid_t pid) {
    ::setenv("MPOL_PID", std::to_string(pid).c_str(), 1);
    const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
    char text[256]{};
    if (pipe == nullptr) return tl::unexpected(fail(errno, "can't run the metric's command"));
    const size_t size = std::fread(text, 1, sizeof(text) - 1, pipe.get());
    char* end = nullptr;
    const double value = std::strtod(text, &end);
    if (size == 0 || end == text) {
        return tl::unexpected(
            fail(EINVAL, fmt::format("the metric's command printed no number: '{}'", command)));
    }
    return value;
}

// Servers take a while to answer: the number may come late, once.
control::Result<void> await_metric(const SweepPlan& plan, Program& program) {
    const uint64_t end = sys::monotonic_ns() + kMetricNs;
    for (;;) {
        const auto found = read_metric(plan.metric, program.pid());
        if (found) return {};
        if (program.wait_end(kMetricAgainMs)) {
            return tl::unexpected(
                fail(ESRCH, fmt::format("'{}' ended before it was measured", plan.command[0]),
                     "a program that ends is timed: leave out --metric"));
        }
        if (sys::monotonic_ns() > end) return tl::unexpected(found.error());
    }
}

// In force, and the memory that is there moved to where it belongs, as far as it goes.
control::Result<void> apply(control::Target& target, const Change& change) {
    const auto generation = target.publish_process(change.policy, kApplyMs);
    if (!generation) return tl::unexpected(generation.error());
    (void)target.wait_process(*generation, kApplyMs);
    const auto migration =
        change.migrate ? target.start_migration({}, kApplyMs) : control::Result<uint64_t>(0);
    if (migration && *migration != 0) {
        (void)target.wait_migration(*migration, control::MigrationPhase::kAsked, kApplyMs);
        (void)target.wait_migration(*migration, control::MigrationPhase::kRunning, kMigrateMs);
    }
    return {};
}

std::string ending(int status) {
    if (WIFSIGNALED(status)) return fmt::format("signal {}", WTERMSIG(status));
    return fmt::format("status {}", WEXITSTATUS(status));
}

// Seconds from start to end, under the policy from the moment that it can be set.
control::Result<double> time_run(const SweepPlan& plan, const Change& change) {
    const uint64_t begin = sys::monotonic_ns();
    auto program = Program::start(plan.command, plan.library, true);
    if (!program) return tl::unexpected(program.error());
    auto target = program->attach(kAttachMs);
    if (target) {
        const auto generation = target->publish_process(change.policy, kApplyMs);
        if (!generation) return tl::unexpected(generation.error());
    }
    if (!program->wait_end(static_cast<int>(plan.longest_ns / 1'000'000))) {
        return tl::unexpected(
            fail(ETIMEDOUT,
                 fmt::format("'{}' has not ended after {} s", plan.command[0],
                             plan.longest_ns / 1'000'000'000),
                 "name what it gets done with --metric, or give it more --seconds"));
    }
    const double seconds = static_cast<double>(sys::monotonic_ns() - begin) / 1e9;
    if (program->status() != 0) {
        return tl::unexpected(fail(
            ECHILD, fmt::format("'{}' ended with {}", plan.command[0], ending(program->status()))));
    }
    if (!target) return tl::unexpected(target.error());
    return seconds;
}

control::Result<double> growth(const SweepPlan& plan, control::Target& target,
                               const Change& change) {
    const auto applied = apply(target, change);
    if (!applied) return tl::unexpected(applied.error());
    const uint64_t begin = sys::monotonic_ns();
    const auto before = read_metric(plan.metric, target.pid());
    if (!before) return before;
    const timespec slot{static_cast<time_t>(plan.slot_ns / 1'000'000'000),
                        static_cast<long>(plan.slot_ns % 1'000'000'000)};
    ::nanosleep(&slot, nullptr);
    const auto after = read_metric(plan.metric, target.pid());
    if (!after) return after;
    if (!target.alive()) {
        return tl::unexpected(
            fail(ESRCH, fmt::format("'{}' ended while it was measured", plan.command[0])));
    }
    return (*after - *before) * 1e9 / static_cast<double>(sys::monotonic_ns() - begin);
}

void judge(Sweep& sweep) {
    for (SweptPolicy& each : sweep.policies) each.estimate = estimate(each.samples);
    const auto better = [&](const SweptPolicy& a, const SweptPolicy& b) {
        return sweep.lower_is_better ? a.estimate.mean < b.estimate.mean
                                     : a.estimate.mean > b.estimate.mean;
    };
    const auto best = std::min_element(sweep.policies.begin(), sweep.policies.end(), better);
    sweep.best = static_cast<size_t>(best - sweep.policies.begin());
    sweep.told_apart =
        best->samples.size() > 1 &&
        std::all_of(sweep.policies.begin(), sweep.policies.end(), [&](const auto& it) {
            const double distance = std::abs(it.estimate.mean - best->estimate.mean);
            return &it == &*best || distance > it.estimate.half_width + best->estimate.half_width;
        });
}

// The policies in turn, each round: what the machine does meanwhile meets all of them.
template <class Measure>
control::Result<void> rounds(const SweepPlan& plan, Sweep& out, Measure measure) {
    Progress progress(plan.rounds * plan.policies.size(),
                      plan.metric.empty() ? plan.longest_ns : plan.slot_ns);
    for (unsigned round = 0; round < plan.rounds; ++round) {
        for (size_t i = 0; i < plan.policies.size(); ++i) {
            progress.step(plan.policies[i].name);
            const control::Result<double> found = measure(plan.policies[i]);
            if (!found) return tl::unexpected(found.error());
            out.policies[i].samples.push_back(*found);
        }
    }
    return {};
}

control::Result<void> by_metric(const SweepPlan& plan, Sweep& out) {
    auto program = Program::start(plan.command, plan.library, true);
    if (!program) return tl::unexpected(program.error());
    auto target = program->attach(kAttachMs);
    if (!target) return tl::unexpected(target.error());
    const auto ready = await_metric(plan, *program);
    if (!ready) return ready;
    return rounds(plan, out, [&](const Change& change) { return growth(plan, *target, change); });
}

}  // namespace

control::Result<Sweep> sweep(const SweepPlan& plan) {
    Sweep out;
    out.lower_is_better = plan.metric.empty();
    for (const Change& change : plan.policies) out.policies.push_back({change.name, {}, {}});
    const auto done =
        plan.metric.empty()
            ? rounds(plan, out, [&](const Change& change) { return time_run(plan, change); })
            : by_metric(plan, out);
    if (!done) return tl::unexpected(done.error());
    judge(out);
    return out;
}

}  // namespace mpol::bench

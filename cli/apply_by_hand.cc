// SPDX-License-Identifier: Apache-2.0
// Rules put in force without a daemon: what a daemon would do, once. What the process had before is
// kept in its own segment, so that mpol undo gives it back, and a daemon that comes later takes the
// process as its own.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

#include "cli/daemon.h"
#include "cli/rules_context.h"
#include "daemon/enforce.h"

namespace mpol::cli {
namespace {

// Writers hold the lock for microseconds.
constexpr int kLockMs = 1000;
constexpr auto kPause = std::chrono::milliseconds(10);
// Of kScopesAtOnce threads each, with a pause after each.
constexpr unsigned kTurnsMax = 100;

}  // namespace

Result<std::vector<daemon::Applied>> apply_once(pid_t pid, const RulesContext& context) {
    auto target = control::Target::attach(pid, control::Access::kWrite);
    if (!target) return failed(target.error());
    if (target->undone()) {
        if (const auto again = target->redo(kLockMs); !again) return failed(again.error());
    }
    const daemon::RuleSet set = daemon::rule_set_of(context.rules.compiled);
    std::vector<daemon::Applied> rows;
    for (unsigned turn = 0; turn < kTurnsMax; ++turn) {
        const auto wanted = daemon::wanted_of(pid, set, context.topology, context.now);
        if (!wanted) return failed(ESRCH, fmt::format("there is no process {}", pid), "mpol ls");
        const daemon::Enforced done = daemon::enforce(*target, *wanted);
        std::erase_if(rows, [](const daemon::Applied& row) { return !row.done; });
        auto more = daemon::rows_of(pid, *wanted, done);
        std::move(more.begin(), more.end(), std::back_inserter(rows));
        if (!done.again) return rows;
        std::this_thread::sleep_for(kPause);
    }
    return failed(EBUSY, fmt::format("another writer holds the control segment of process {}", pid),
                  "try again, or find the holder with: lslocks");
}

}  // namespace mpol::cli

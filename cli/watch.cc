// SPDX-License-Identifier: Apache-2.0
// mpol watch: one line for each event of the target's heap as it comes, until the target exits, the
// count or the time is reached, or SIGINT.
#include "control/watch.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <map>

#include "cli/target.h"
#include "cli/verbs.h"
#include "sys/sys.h"

namespace mpol::cli {
namespace {

using control::Watch;

// Threads of which the caller's name is remembered; beyond, all are asked for anew.
constexpr size_t kNamesMax = 4096;

volatile sig_atomic_t interrupted = 0;
void on_interrupt(int) {
    interrupted = 1;
}

class Threads {
  public:
    explicit Threads(const control::Target& target) : target_(target) {}
    pid_t outer(pid_t inner) {
        if (names_.size() >= kNamesMax) names_.clear();
        const auto [at, is_new] = names_.try_emplace(inner, 0);
        if (is_new) at->second = target_.outer_tid(inner);
        return at->second;
    }

  private:
    const control::Target& target_;
    std::map<pid_t, pid_t> names_;
};

int left_ms(const Arguments& arguments, uint64_t begin_ns) {
    if (arguments.watch_ms < 0) return INT_MAX;
    const uint64_t passed = (sys::monotonic_ns() - begin_ns) / 1'000'000;
    const auto wanted = static_cast<uint64_t>(arguments.watch_ms);
    return wanted > passed ? static_cast<int>(wanted - passed) : 0;
}

// Prints what comes. Nothing: standard output is closed.
std::optional<WatchEnd> watch_until_end(const Arguments& arguments, control::Target& target) {
    Watch watch(target);
    Threads threads(target);
    WatchEnd end{.pid = target.pid()};
    const uint64_t begin = sys::monotonic_ns();
    while (interrupted == 0) {
        switch (watch.next(left_ms(arguments, begin))) {
            case Watch::Outcome::kEvent: {
                ++end.events;
                const WatchLine line{watch.event(), threads.outer(watch.event().tid)};
                if (!show(arguments, line)) return std::nullopt;
                if (arguments.count != 0 && end.events >= static_cast<uint64_t>(arguments.count)) {
                    end.why = WatchEnd::Why::kCount;
                    return end;
                }
                break;
            }
            case Watch::Outcome::kLost:
                end.lost += watch.lost();
                if (!show(arguments, WatchGap{watch.lost()})) return std::nullopt;
                break;
            case Watch::Outcome::kGone:
                end.why = WatchEnd::Why::kGone;
                return end;
            case Watch::Outcome::kTimedOut:
                end.why = WatchEnd::Why::kTimeout;
                if (arguments.watch_ms >= 0) return end;
                break;
            case Watch::Outcome::kInterrupted:
                break;
        }
    }
    end.why = WatchEnd::Why::kInterrupted;
    return end;
}

}  // namespace

Result<Answer> watch(const Arguments& arguments) {
    const Result<TargetName> name = parse_target(arguments.target);
    if (!name) return tl::unexpected(name.error());
    if (name->tid) {
        return misused("a whole process is watched: name PID, not PID/TID",
                       fmt::format("mpol watch {}", name->pid));
    }
    auto target = control::Target::attach(name->pid, control::Access::kWrite);
    if (!target) return failed(target.error());
    struct sigaction action {};
    action.sa_handler = on_interrupt;  // Without SA_RESTART: it ends the sleep.
    ::sigaction(SIGINT, &action, nullptr);
    const auto end = watch_until_end(arguments, *target);
    if (!end) {
        return failed(errno,
                      fmt::format("can't write to standard output: {}", std::strerror(errno)));
    }
    return Answer{Status::kOk, *end};
}

}  // namespace mpol::cli

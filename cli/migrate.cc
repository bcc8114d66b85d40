// SPDX-License-Identifier: Apache-2.0
#include "cli/migrate.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <utility>

#include "cli/plain.h"
#include "cli/verbs.h"
#include "cli/words.h"

namespace mpol::cli {
namespace {

using control::MigrationPhase;
using control::Target;

// Several looks in each lease, so that a busy machine doesn't make the target pause; the lease is
// how long a target goes on when this program is killed.
constexpr int kLookMs = 100;
constexpr uint32_t kLeaseMs = 1000;
// Quick enough to look alive, slow enough to be read.
constexpr int kLooksPerLine = 3;

constexpr std::array kEndingSignals = {SIGINT, SIGTERM, SIGHUP};
volatile sig_atomic_t caught = 0;

// While it lives, the signals that end a program end the migration instead, once: the second of
// them ends the program. A signal that was ignored stays ignored.
class EndingSignals {
  public:
    EndingSignals() {
        struct sigaction action {};
        action.sa_handler = [](int signal) { caught = signal; };
        action.sa_flags = static_cast<int>(SA_RESETHAND);
        for (size_t i = 0; i < kEndingSignals.size(); ++i) {
            ::sigaction(kEndingSignals[i], nullptr, &before_[i]);
            if (before_[i].sa_handler != SIG_IGN) ::sigaction(kEndingSignals[i], &action, nullptr);
        }
    }
    ~EndingSignals() {
        for (size_t i = 0; i < kEndingSignals.size(); ++i) {
            ::sigaction(kEndingSignals[i], &before_[i], nullptr);
        }
    }
    EndingSignals(const EndingSignals&) = delete;
    EndingSignals& operator=(const EndingSignals&) = delete;

  private:
    std::array<struct sigaction, kEndingSignals.size()> before_{};
};

// What is shown while it runs.
class Display {
  public:
    explicit Display(bool as_json) : as_json_(as_json), bar_(!as_json && ::isatty(2) == 1) {}
    ~Display() { wipe(); }
    Display(const Display&) = delete;
    Display& operator=(const Display&) = delete;

    void show(const Migration& migration) {
        if (as_json_) {
            fmt::print("{}", json(Value(migration)));
            std::fflush(stdout);
        } else if (bar_) {
            const std::string line = progress_words(migration);
            fmt::print(stderr, "\r{:<{}}", line, width_);
            width_ = std::max(width_, line.size());
        }
    }

  private:
    void wipe() const {
        if (width_ > 0) fmt::print(stderr, "\r{:<{}}\r", "", width_);
    }
    bool as_json_;
    bool bar_;
    size_t width_ = 0;
};

std::string words_of(const TargetName& name) {
    return name.tid ? fmt::format("thread {}/{}", name.pid, *name.tid)
                    : fmt::format("process {}", name.pid);
}

tl::unexpected<Error> never_began(const Target& target, const TargetName& name, int timeout_ms) {
    const char state = state_of(name.pid);
    const bool helper = (target.process().status & MPOL_CTL_STATUS_HELPER) != 0;
    std::string hint = "its helper thread has not answered: try again with a longer --timeout";
    if (state == 'T' || state == 't') {
        hint = "it is stopped";
    } else if (!helper) {
        hint =
            "it has no helper thread: MPOL_HELPER=0, or it has made no allocation since it was "
            "asked";
    }
    return failed(
        ETIMEDOUT,
        fmt::format("process {} did not begin to migrate within {} ms", name.pid, timeout_ms),
        hint);
}

tl::unexpected<Error> refused(const Migration& migration) {
    const int err = migration.state.error;
    return failed(
        err, fmt::format("process {} can't move its pages: {}", migration.pid, errno_text(err)),
        err == EPERM ? "a seccomp filter in the target refuses move_pages(2)" : "");
}

// Looks until the generation has ended, or the signal's wait for that is over.
Result<Migration> follow(Target& target, const TargetName& name, uint64_t generation,
                         const Arguments& arguments) {
    Display display(arguments.json);
    Migration now{.pid = name.pid, .tid = name.tid};
    int looks_left = std::max(1, arguments.timeout_ms / kLookMs);  // after a signal
    for (int look = 0;; ++look) {
        now.state = target.migration();
        if (now.state.generation != generation) {
            return failed(
                EBUSY,
                fmt::format("another migration of process {} took this one's place", name.pid));
        }
        if (control::has_ended(now.state.phase)) break;
        if (!target.alive()) {
            return failed(ESRCH, fmt::format("process {} has exited; {} had moved", name.pid,
                                             bytes_words(now.state.moved)));
        }
        if (caught != 0 && std::exchange(now.interrupted_by, caught) == 0) {
            target.cancel_migration(generation);
        }
        if (now.interrupted_by != 0 && looks_left-- == 0) break;
        if (look % kLooksPerLine == 0) display.show(now);
        target.renew_migration();
        (void)target.wait_migration(generation, now.state.phase, kLookMs);
    }
    now.done = true;
    if (now.state.phase == MigrationPhase::kRefused) return refused(now);
    return now;
}

// One that is under way may be of an asker who was killed just now: that pauses within its lease.
control::Result<uint64_t> start(Target& target, const control::MigrationRequest& request,
                                int timeout_ms) {
    for (int waited_ms = 0;; waited_ms += kLookMs) {
        const auto generation = target.start_migration(request, kTimeoutMsDefault);
        if (generation || generation.error().err != EBUSY || waited_ms >= timeout_ms) {
            return generation;
        }
        const control::MigrationState state = target.migration();
        (void)target.wait_migration(state.generation, state.phase, kLookMs);
    }
}

// Memory of a thread's own is what it has allocated under a policy of its own.
Result<void> check_thread(const Target& target, const TargetName& name, control::ThreadSlot slot) {
    const auto thread = target.thread(slot);
    if (!thread) return failed(ESRCH, words_of(name) + " has exited");
    if (thread->scope != 0) return {};
    return failed(EINVAL,
                  words_of(name) + " has no memory of its own: it allocates from its process's",
                  fmt::format("mpol migrate {}", name.pid));
}

Result<Migration> cancel(Target& target, const TargetName& name, int timeout_ms) {
    Migration out{.pid = name.pid, .tid = name.tid, .state = target.migration()};
    if (out.state.phase == MigrationPhase::kIdle || control::has_ended(out.state.phase)) {
        return failed(EINVAL, fmt::format("process {} is not migrating", name.pid));
    }
    const uint64_t generation = out.state.generation;
    target.cancel_migration(generation);
    for (int look = 0; look * kLookMs <= timeout_ms; ++look) {
        out.state = target.migration();
        if (out.state.generation != generation || control::has_ended(out.state.phase)) break;
        (void)target.wait_migration(generation, out.state.phase, kLookMs);
    }
    out.done = true;
    if (control::has_ended(out.state.phase)) return out;
    return failed(ETIMEDOUT,
                  fmt::format("process {} did not end it within {} ms", name.pid, timeout_ms));
}

}  // namespace

Result<uint64_t> parse_rate(const std::string& text) {
    if (text.empty()) return 0;
    if (const auto bytes = parse_bytes(text)) return *bytes;
    return misused(fmt::format("{} is no rate: a number of bytes per second, with K, M, G or T",
                               in_quotes(text)),
                   "--rate 100M");
}

Result<Migration> run_migration(Target& target, const TargetName& name,
                                std::optional<control::ThreadSlot> slot,
                                const Arguments& arguments) {
    const Result<uint64_t> rate = parse_rate(arguments.rate);
    if (!rate) return tl::unexpected(rate.error());
    if (slot) {
        const Result<void> checked = check_thread(target, name, *slot);
        if (!checked) return tl::unexpected(checked.error());
    }
    const EndingSignals signals;
    const auto generation = start(target,
                                  {.thread = slot,
                                   .bytes_per_second = *rate,
                                   .lease_ms = arguments.background ? 0 : kLeaseMs},
                                  arguments.timeout_ms);
    if (!generation) return failed(generation.error());
    (void)target.wait_migration(*generation, MigrationPhase::kAsked, arguments.timeout_ms);
    const control::MigrationState state = target.migration();
    if (state.generation == *generation && state.phase == MigrationPhase::kAsked) {
        target.cancel_migration(*generation);
        return never_began(target, name, arguments.timeout_ms);
    }
    if (arguments.background && state.phase == MigrationPhase::kRunning) {
        return Migration{.pid = name.pid, .tid = name.tid, .state = state};
    }
    return follow(target, name, *generation, arguments);
}

Status Migration::status() const {
    if (interrupted_by != 0) return static_cast<Status>(128 + interrupted_by);
    const bool whole = state.phase == MigrationPhase::kDone && state.failed_in_all() == 0;
    return whole || !done ? Status::kOk : Status::kPartlyApplied;
}

std::optional<uint64_t> Migration::left_ms() const {
    if (state.seen == 0) return std::nullopt;
    const double share = static_cast<double>(state.remaining()) / static_cast<double>(state.seen);
    return static_cast<uint64_t>(static_cast<double>(state.elapsed_ns) / 1e6 *
                                 std::min(share, 1e6));
}

Result<Answer> migrate(const Arguments& arguments) {
    const Result<TargetName> name = parse_target(arguments.target);
    if (!name) return tl::unexpected(name.error());
    if (arguments.cancel && (arguments.background || !arguments.rate.empty())) {
        return misused("--cancel stands alone");
    }
    if (const auto rate = parse_rate(arguments.rate); !rate) return tl::unexpected(rate.error());
    auto target = Target::attach(name->pid, control::Access::kWrite);
    if (!target) return failed(target.error());
    std::optional<control::ThreadSlot> slot;
    if (name->tid) {
        const auto found = target->slot_of(*name->tid);
        if (!found) return failed(found.error());
        slot = *found;
    }
    const Result<Migration> migration = arguments.cancel
                                            ? cancel(*target, *name, arguments.timeout_ms)
                                            : run_migration(*target, *name, slot, arguments);
    if (!migration) return tl::unexpected(migration.error());
    // Whoever cancels wants it to have ended; that is all.
    return Answer{arguments.cancel ? Status::kOk : migration->status(), *migration};
}

}  // namespace mpol::cli

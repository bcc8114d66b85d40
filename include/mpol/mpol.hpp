// SPDX-License-Identifier: Apache-2.0
//
// libmpol for C++20: a target held open. Over mpol.h, whose words on each call are its contract;
// here stands what differs. Also the policy value, mpol/policy.hpp; memory resources are in
// mpol/pmr.hpp.
//
// Every function makes the C call that it names and gives its errno as a std::error_code of
// std::generic_category(). Nothing throws, and nothing here needs exceptions or run-time type
// information. Unless a function says otherwise it is thread-safe, and not async-signal-safe.
#pragma once

#include <mpol/mpol.h>

#include <algorithm>
#include <chrono>
#include <climits>
#include <cstdint>
#include <memory>
#include <mpol/policy.hpp>
#include <optional>
#include <system_error>
#include <utility>

namespace mpol {
inline namespace v1 {

namespace detail {

[[nodiscard]] inline int clamped_ms(std::chrono::milliseconds time) noexcept {
    return static_cast<int>(std::clamp<std::chrono::milliseconds::rep>(time.count(), 0, INT_MAX));
}

}  // namespace detail

enum class Access : unsigned { kRead = MPOL_READ, kWrite = MPOL_WRITE };

enum class Kind : unsigned {
    kLarge = MPOL_KIND_LARGE,
    kStack = MPOL_KIND_STACK,
    kMmap = MPOL_KIND_MMAP,
};

enum class Origin : std::uint32_t {
    kNone = MPOL_ORIGIN_NONE,
    kProgram = MPOL_ORIGIN_PROGRAM,
    kLauncher = MPOL_ORIGIN_LAUNCHER,
    kOutside = MPOL_ORIGIN_OUTSIDE,
    kInherited = MPOL_ORIGIN_INHERITED,
    kDaemon = MPOL_ORIGIN_DAEMON,
};

// In the place of a thread's id: the process.
inline constexpr pid_t kProcess = 0;

// struct mpol_state.
struct State {
    std::optional<Policy> policy;  // that was set from outside
    bool in_force = false;         // on all of the scope's heap memory
    std::uint64_t generation = 0;
    Origin origin = Origin::kNone;
    uid_t origin_uid = 0;
    pid_t origin_pid = 0;
    std::error_code error;  // of the last application
    std::chrono::sys_time<std::chrono::nanoseconds> set_at;
    std::uint64_t threshold_bytes = 0;  // of Kind::kLarge
};

// struct mpol_migration, the C struct's bytes and counts as they are.
struct Migration : mpol_migration {
    [[nodiscard]] bool has_ended() const noexcept { return phase >= MPOL_MIGRATION_DONE; }
    [[nodiscard]] std::chrono::nanoseconds elapsed() const noexcept { return ns(elapsed_ns); }
    [[nodiscard]] std::chrono::nanoseconds longest_batch() const noexcept {
        return ns(longest_batch_ns);
    }

  private:
    [[nodiscard]] static std::chrono::nanoseconds ns(std::uint64_t count) noexcept {
        return std::chrono::nanoseconds(static_cast<std::int64_t>(count));
    }
};

// The control segment of a process, closed with the object. Move-only; of one that was moved from
// only the destructor and the assignment may be called. tid is a thread of it, or kProcess. Times
// beyond an int of milliseconds count as that, below 0 as 0. What writes needs Access::kWrite:
// EBADF. Any number of threads may use one object; closing it, and moving from it, is for one.
class Target {
  public:
    // mpol_open. ESRCH: no such process; EPERM: the kernel refuses; ENODEV: it does not run under
    // libmpol-preload; EPROTO: its segment is damaged or of another ABI.
    static Result<Target> open(pid_t pid, Access access = Access::kRead) noexcept {
        mpol_target* target = nullptr;
        const int ret = mpol_open(pid, static_cast<unsigned>(access), &target);
        return detail::value_or_error(ret, Target(target));
    }

    // mpol_read. No system call for kProcess. ESRCH, ENODEV, EAGAIN.
    [[nodiscard]] Result<State> read(pid_t tid = kProcess) const noexcept {
        mpol_state state{};
        const int ret = mpol_read(target_.get(), tid, &state);
        return detail::value_or_error(ret, to_state(state, 0));
    }

    // mpol_write_flags. flags: 0 or MPOL_KEEP_CACHED. timeout 0: does not wait until it is in
    // force. EINVAL: no node of the policy is allowed to the target, or another flag; ETIMEDOUT: it
    // is published, and the target has not acted on it yet; ESRCH, ENODEV, EBUSY.
    Result<void> write(pid_t tid, const Policy& policy, std::chrono::milliseconds timeout,
                       unsigned flags = 0) noexcept {
        return write_or_unset(tid, &policy.c_policy(), timeout, flags);
    }
    // The policy of the program, or of the process, again. Errors as write.
    Result<void> unset(pid_t tid, std::chrono::milliseconds timeout, unsigned flags = 0) noexcept {
        return write_or_unset(tid, nullptr, timeout, flags);
    }

    // mpol_read_kind, or of a thread mpol_read_thread_kind. EINVAL: no such kind; errors as read.
    [[nodiscard]] Result<State> read_kind(pid_t tid, Kind kind) const noexcept {
        mpol_state state{};
        std::uint64_t threshold = 0;
        const auto number = static_cast<unsigned>(kind);
        const int ret = tid == kProcess
                            ? mpol_read_kind(target_.get(), number, &threshold, &state)
                            : mpol_read_thread_kind(target_.get(), tid, number, &threshold, &state);
        return detail::value_or_error(ret, to_state(state, threshold));
    }

    // mpol_write_kind, or of a thread mpol_write_thread_kind, which is thread-safe for different
    // targets only. threshold_bytes: of Kind::kLarge, at least 65536; 0 for the others. EINVAL: no
    // such kind or threshold; ERANGE, ENODATA, ENOMEM; errors as write.
    Result<void> write_kind(pid_t tid, Kind kind, std::uint64_t threshold_bytes,
                            const Policy& policy, std::chrono::milliseconds timeout) noexcept {
        return write_or_unset_kind(tid, kind, threshold_bytes, &policy.c_policy(), timeout);
    }
    // The kind follows what it would without a policy of its own. Errors as write_kind.
    Result<void> unset_kind(pid_t tid, Kind kind, std::chrono::milliseconds timeout) noexcept {
        return write_or_unset_kind(tid, kind, 0, nullptr, timeout);
    }

    // mpol_start_migration: its generation. bytes_per_second 0: as fast as it goes; lease 0: it
    // goes on to the end, whoever looks. ESRCH, ENODEV, EBUSY: one is under way, or the segment is
    // held.
    Result<std::uint64_t> start_migration(pid_t tid = kProcess, std::uint64_t bytes_per_second = 0,
                                          std::chrono::milliseconds lease = {}) noexcept {
        std::uint64_t generation = 0;
        const auto lease_ms = static_cast<std::uint32_t>(detail::clamped_ms(lease));
        const int ret =
            mpol_start_migration(target_.get(), tid, bytes_per_second, lease_ms, &generation);
        return detail::value_or_error(ret, std::move(generation));
    }
    // mpol_read_migration. No system call; any access.
    [[nodiscard]] Result<Migration> read_migration() const noexcept {
        Migration migration{};
        const int ret = mpol_read_migration(target_.get(), &migration);
        return detail::value_or_error(ret, std::move(migration));
    }
    // mpol_renew_migration: the lease from now on; a paused one goes on.
    Result<void> renew_migration() noexcept {
        return detail::error_of(mpol_renew_migration(target_.get()));
    }
    // mpol_wait_migration: renews until it has ended. ETIMEDOUT; ESTALE: another one has taken its
    // place; ESRCH: the process has exited.
    Result<void> wait_migration(std::uint64_t generation,
                                std::chrono::milliseconds timeout) noexcept {
        const int timeout_ms = detail::clamped_ms(timeout);
        return detail::error_of(mpol_wait_migration(target_.get(), generation, timeout_ms));
    }
    // mpol_cancel_migration: it ends after the batch under way.
    Result<void> cancel_migration(std::uint64_t generation) noexcept {
        return detail::error_of(mpol_cancel_migration(target_.get(), generation));
    }

  private:
    struct Close {
        void operator()(mpol_target* target) const noexcept { mpol_close(target); }
    };

    explicit Target(mpol_target* target) noexcept : target_(target) {}

    [[nodiscard]] static State to_state(const mpol_state& from, std::uint64_t threshold) noexcept {
        State to;
        if (from.set != 0) to.policy = Policy(from.policy);
        to.in_force = from.in_force != 0;
        to.generation = from.generation;
        to.origin = static_cast<Origin>(from.origin);
        to.origin_uid = from.origin_uid;
        to.origin_pid = static_cast<pid_t>(from.origin_pid);
        to.error = {from.error, std::generic_category()};
        to.set_at += std::chrono::nanoseconds(static_cast<std::int64_t>(from.set_at_ns));
        to.threshold_bytes = threshold;
        return to;
    }

    Result<void> write_or_unset(pid_t tid, const mpol_policy* policy,
                                std::chrono::milliseconds timeout, unsigned flags) noexcept {
        const int timeout_ms = detail::clamped_ms(timeout);
        return detail::error_of(mpol_write_flags(target_.get(), tid, policy, flags, timeout_ms));
    }

    Result<void> write_or_unset_kind(pid_t tid, Kind kind, std::uint64_t threshold,
                                     const mpol_policy* policy,
                                     std::chrono::milliseconds timeout) noexcept {
        const auto number = static_cast<unsigned>(kind);
        const int timeout_ms = detail::clamped_ms(timeout);
        return detail::error_of(
            tid == kProcess ? mpol_write_kind(target_.get(), number, threshold, policy, timeout_ms)
                            : mpol_write_thread_kind(target_.get(), tid, number, threshold, policy,
                                                     timeout_ms));
    }

    std::unique_ptr<mpol_target, Close> target_;
};

}  // namespace v1
}  // namespace mpol

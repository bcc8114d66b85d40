// SPDX-License-Identifier: Apache-2.0
// What can only go wrong on another task: ESRCH, EPERM, ENODEV, ETIMEDOUT, and the sizes of
// mpol_mbind_args. Bad arguments come first, as in the kernel.
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <linux/mempolicy.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "ground.h"
#include "sides.h"

namespace mpol::test {
namespace {

constexpr uid_t kNobody = 65534;

// set, get, mbind, home node: with arguments that are right, or wrong.
using Results = std::array<int, 4>;
constexpr Results all(int result) {
    return {result, result, result, result};
}

Results call_rightly(Calls& calls) {
    const unsigned long node0 = 1;
    int mode = 0;
    return {calls.set(MPOL_BIND, &node0, 65), calls.get(&mode, nullptr, 0, nullptr, 0),
            calls.mbind({0, kPlain.start, kPage, MPOL_BIND, &node0, 65, 0}),
            calls.home_node(kPlain.start, kPage, 0, 0)};
}

Results call_wrongly(Calls& calls) {
    const unsigned long node0 = 1;
    return {calls.set(7, &node0, 65), calls.get(nullptr, nullptr, 0, nullptr, 8),
            calls.mbind({0, kPlain.start + 1, kPage, MPOL_BIND, &node0, 65, 0}),
            calls.home_node(kPlain.start + 1, kPage, 0, 0)};
}

class Pidfd {
  public:
    explicit Pidfd(pid_t pid) : fd_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))) {}
    ~Pidfd() { ::close(fd_); }
    Pidfd(const Pidfd&) = delete;
    Pidfd& operator=(const Pidfd&) = delete;
    [[nodiscard]] int get() const { return fd_; }

  private:
    int fd_;
};

// A child that has ended, but is waited for only by reap().
class Ended {
  public:
    Ended() : pid_(::fork()) {
        if (pid_ == 0) ::_exit(0);
        siginfo_t info{};
        ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT);
    }
    ~Ended() { reap(); }
    Ended(const Ended&) = delete;
    Ended& operator=(const Ended&) = delete;
    void reap() {
        if (!reaped_) ::waitpid(pid_, nullptr, 0);
        reaped_ = true;
    }
    [[nodiscard]] pid_t pid() const { return pid_; }

  private:
    pid_t pid_;
    bool reaped_ = false;
};

// What the calls answer to another user.
Results call_as(uid_t user, const std::function<Results()>& body) {
    auto* const shared = static_cast<Results*>(
        ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    *shared = all(1);
    const pid_t child = ::fork();
    if (child == 0) {
        if (::setresgid(user, user, user) == 0 && ::setresuid(user, user, user) == 0) {
            *shared = body();
        }
        ::_exit(0);
    }
    ::waitpid(child, nullptr, 0);
    const Results results = *shared;
    ::munmap(shared, kPage);
    return results;
}

}  // namespace

TEST(TaskCalls, FindNoTask) {
    Ended ended;
    Pidfd pidfd(ended.pid());
    PidfdCalls by_pidfd(pidfd.get());
    EXPECT_EQ(call_rightly(by_pidfd), all(-ESRCH)) << "not waited for yet";
    ended.reap();
    TidCalls by_tid(ended.pid());
    TidCalls negative(-1);
    EXPECT_EQ(call_rightly(by_pidfd), all(-ESRCH));
    EXPECT_EQ(call_rightly(by_tid), all(-ESRCH));
    EXPECT_EQ(call_rightly(negative), all(-ESRCH));
}

TEST(TaskCalls, TakeOnlyPidfds) {
    PidfdCalls none(-1);
    PidfdCalls a_pipe(STDOUT_FILENO);
    EXPECT_EQ(call_rightly(none), all(-EBADF));
    EXPECT_EQ(call_rightly(a_pipe), all(-EBADF));
}

TEST(TaskCalls, CheckArgumentsBeforeTheTask) {
    Ended ended;
    ended.reap();
    TidCalls no_task(ended.pid());
    PidfdCalls no_pidfd(-1);
    Grounded plain(false);
    TidCalls no_preload(plain.pid());
    EXPECT_EQ(call_wrongly(no_task), all(-EINVAL));
    EXPECT_EQ(call_wrongly(no_pidfd), all(-EINVAL));
    EXPECT_EQ(call_wrongly(no_preload), all(-EINVAL));
}

TEST(TaskCalls, NeedThePreload) {
    Grounded plain(false);
    TidCalls main(plain.pid());
    TidCalls other(plain.tid(Grounded::kOther));
    Pidfd pidfd(plain.pid());
    PidfdCalls by_pidfd(pidfd.get());
    EXPECT_EQ(call_rightly(main), all(-ENODEV));
    EXPECT_EQ(call_rightly(other), all(-ENODEV));
    EXPECT_EQ(call_rightly(by_pidfd), all(-ENODEV));
}

TEST(TaskCalls, NeedPermission) {
    if (::geteuid() != 0) GTEST_SKIP() << "not root: can't become somebody else";
    Grounded target(true);
    Pidfd pidfd(target.pid());
    const pid_t other = target.tid(Grounded::kOther);
    const std::string before = target.view(Grounded::kMain);
    EXPECT_EQ(call_as(kNobody,
                      [&] {
                          TidCalls calls(other);
                          return call_rightly(calls);
                      }),
              all(-EPERM));
    EXPECT_EQ(call_as(kNobody,
                      [&] {
                          PidfdCalls calls(pidfd.get());
                          return call_rightly(calls);
                      }),
              all(-EPERM));
    EXPECT_EQ(call_as(kNobody,
                      [&] {
                          TidCalls calls(other);
                          return call_wrongly(calls);
                      }),
              all(-EINVAL));
    EXPECT_EQ(target.view(Grounded::kMain), before);
}

TEST(TaskCalls, LeaveErrnoAlone) {
    Grounded target(true);
    TidCalls right(target.pid());
    TidCalls negative(-1);
    errno = ENOTTY;
    EXPECT_EQ(call_rightly(right), all(0));
    EXPECT_EQ(call_rightly(negative), all(-ESRCH));
    EXPECT_EQ(call_wrongly(right), all(-EINVAL));
    EXPECT_EQ(errno, ENOTTY);
}

TEST(TaskMbind, AcceptsALargerStructWithAZeroTail) {
    Grounded target(true);
    const unsigned long node0 = 1;
    struct Newer {
        mpol_mbind_args args;
        unsigned char tail[8];
    } newer{{target.pid(), kPlain.start, kPage, MPOL_BIND, &node0, 65, 0}, {}};
    const size_t known = sizeof(mpol_mbind_args);
    EXPECT_EQ(mpol_task_mbind(&newer.args, known), 0);
    EXPECT_EQ(mpol_task_mbind(&newer.args, known + 8), 0);
    newer.tail[7] = 1;
    EXPECT_EQ(mpol_task_mbind(&newer.args, known + 7), 0);
    EXPECT_EQ(mpol_task_mbind(&newer.args, known + 8), -E2BIG);
    Pidfd pidfd(target.pid());
    EXPECT_EQ(mpol_pidfd_mbind(pidfd.get(), &newer.args, known + 7), 0);
    EXPECT_EQ(mpol_pidfd_mbind(pidfd.get(), &newer.args, known + 8), -E2BIG);
}

TEST(TaskMbind, RefusesASmallerStructAndABadOne) {
    const unsigned long node0 = 1;
    const mpol_mbind_args args{-1, kPlain.start, kPage, MPOL_BIND, &node0, 65, 0};
    EXPECT_EQ(mpol_task_mbind(&args, 0), -EINVAL);
    EXPECT_EQ(mpol_task_mbind(&args, sizeof(args) - 1), -EINVAL);
    EXPECT_EQ(mpol_task_mbind(&args, sizeof(args)), -ESRCH) << "only the task is wrong";
    EXPECT_EQ(mpol_task_mbind(&args, kPage + 1), -E2BIG) << "whatever is in it";
    EXPECT_EQ(mpol_task_mbind(nullptr, sizeof(args)), -EFAULT);
    EXPECT_EQ(mpol_task_mbind(reinterpret_cast<const mpol_mbind_args*>(8), sizeof(args)), -EFAULT);
    EXPECT_EQ(mpol_task_mbind(reinterpret_cast<const mpol_mbind_args*>(8), 8), -EINVAL);
    EXPECT_EQ(mpol_pidfd_mbind(-1, nullptr, sizeof(args)), -EFAULT);
}

// The target makes the call on itself, so that its own capability is needed as well.
TEST(TaskMbind, MoveAllNeedsTheTargetsCapabilityToo) {
    if (::geteuid() != 0) GTEST_SKIP() << "not root: has no CAP_SYS_NICE to lose";
    Options options;
    options.before_exec = [] { ::prctl(PR_CAPBSET_DROP, CAP_SYS_NICE, 0, 0, 0); };
    Grounded target(true, options);
    const unsigned long node0 = 1;
    mpol_mbind_args args{target.pid(), kPlain.start, kPage, MPOL_BIND, &node0, 65, MPOL_MF_MOVE};
    EXPECT_EQ(mpol_task_mbind(&args, sizeof(args)), 0);
    args.flags = MPOL_MF_MOVE_ALL;
    EXPECT_EQ(mpol_task_mbind(&args, sizeof(args)), -EPERM);
}

TEST(TaskCalls, WaitNoLongerThanTold) {
    const int timeout_ms = mpol_timeout_ms();
    EXPECT_EQ(timeout_ms, 2000);
    Grounded target(true);
    TidCalls calls(target.pid());
    ASSERT_EQ(call_rightly(calls), all(0));
    target.prepare();
    const std::string before = target.view(Grounded::kMain);
    ::kill(target.pid(), SIGSTOP);
    ::waitpid(target.pid(), nullptr, WUNTRACED);
    mpol_set_timeout_ms(50);
    const unsigned long node0 = 1;
    EXPECT_EQ(calls.mbind({0, kPlain.start, kPage, MPOL_BIND, &node0, 65, 0}), -ETIMEDOUT);
    EXPECT_EQ(calls.home_node(kPlain.start, kPage, 0, 0), -ETIMEDOUT);
    EXPECT_EQ(calls.get(nullptr, nullptr, 0, reinterpret_cast<void*>(kPlain.start), MPOL_F_ADDR),
              -ETIMEDOUT);
    EXPECT_EQ(calls.get(nullptr, nullptr, 0, nullptr, 0), 0) << "needs nothing of the target";
    EXPECT_EQ(calls.set(MPOL_INTERLEAVE, &node0, 65), -ETIMEDOUT);
    mpol_set_timeout_ms(timeout_ms);
    ::kill(target.pid(), SIGCONT);

    // What was asked of the target was taken back; what was published comes into force.
    std::string after = before;
    after.replace(after.find("0x2:0"), 5, "0x3:0");
    EXPECT_EQ(target.view(Grounded::kMain), after);
}

// Before anything was set from outside.
TEST(TaskCalls, ReportThePolicyThatTheProgramHas) {
    Options options;
    options.before_exec = [] {
        const unsigned long node0 = 1;
        ::syscall(SYS_set_mempolicy, MPOL_BIND, &node0, 65UL);
    };
    Grounded target(true, options);
    TidCalls calls(target.tid(Grounded::kOther));
    unsigned long nodes = 0;
    int mode = 0;
    ASSERT_EQ(calls.get(&mode, &nodes, 65, nullptr, 0), 0);
    EXPECT_EQ(mode, MPOL_BIND);
    EXPECT_EQ(nodes, 1UL);
}

}  // namespace mpol::test

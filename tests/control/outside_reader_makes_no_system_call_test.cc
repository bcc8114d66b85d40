// SPDX-License-Identifier: Apache-2.0
// The reader enters seccomp's strict mode, where every system call but read, write, exit and
// sigreturn kills.
#include <gtest/gtest.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "workbench.h"

namespace mpol::test {
namespace {

constexpr int kReads = 1'000;
constexpr unsigned kSlot = 0;  // the target's main thread

// Exits with 0 when every read was right. Any thread may exit this way; exit_group(2) would kill.
template <class Read>
[[noreturn]] void read_in_strict_mode(const Read& read) {
    if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0) ::_exit(77);
    bool right = true;
    for (int i = 0; i < kReads; ++i) right = right && read();
    ::syscall(SYS_exit, right ? 0 : 1);
    __builtin_unreachable();
}

template <class Read>
int status_of_reader(const Read& read) {
    const pid_t reader = ::fork();
    if (reader == 0) read_in_strict_mode(read);
    int status = 0;
    ::waitpid(reader, &status, 0);
    return status;
}

TEST(OutsideReader, MakesNoSystemCall) {
    Workbench bench;
    control::Target writer = bench.attach();
    set_process(writer, bind_to({0}));
    set_thread(writer, bench.tid(Workbench::kMain), bind_to({0}));
    const auto target = control::Target::attach(bench.pid(), control::Access::kRead);
    ASSERT_TRUE(target.has_value());

    const int status = status_of_reader([&] {
        const control::ProcessState process = target->process();
        const auto thread = target->thread(kSlot);
        return process.asked.set && process.asked.policy.mode == Mode::kBind && thread &&
               thread->asked.set && target->counter(MPOL_CTL_SLOTLESS_THREADS) == 0;
    });
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) GTEST_SKIP() << "no seccomp here";
    EXPECT_TRUE(WIFEXITED(status)) << "killed by signal " << WTERMSIG(status);
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

// What the test above would look like if it failed.
TEST(OutsideReader, WouldBeKilledForASystemCall) {
    const int status = status_of_reader([] { return ::syscall(SYS_getpid) > 0; });
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) GTEST_SKIP() << "no seccomp here";
    ASSERT_TRUE(WIFSIGNALED(status));
    EXPECT_EQ(WTERMSIG(status), SIGKILL);
}

}  // namespace
}  // namespace mpol::test

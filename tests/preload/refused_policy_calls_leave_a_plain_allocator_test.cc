// SPDX-License-Identifier: Apache-2.0
// Containers' default filters answer EPERM to the memory policy calls; a systemd service's may
// kill.
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>

#include "workbench.h"

namespace mpol::test {
namespace {

// Ends the child when the filter can't be had, so that the test fails instead of passing idly.
void filter_memory_policy(uint32_t action) {
    const sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mbind, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_set_mempolicy, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_get_mempolicy, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, action),
    };
    const sock_fprog filter{sizeof(program) / sizeof(program[0]),
                            const_cast<sock_filter*>(program)};
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
        ::_exit(123);
    }
}

class Seccomp : public testing::TestWithParam<uint32_t> {};

}  // namespace

TEST_P(Seccomp, RefusalIsRecordedAndTheProgramLives) {
    Workbench bench({.before_exec = [] { filter_memory_policy(GetParam()); }});
    const unsigned worker = bench.start_thread(0);
    const uint64_t before = bench.allocate(0, 1 << 20);
    control::Target target = bench.attach();
    const uint64_t generation = set_process(target, bind_to({0}));
    bench.call();
    bench.call(worker);
    ASSERT_TRUE(target.wait_process(generation, kWaitMs));
    EXPECT_EQ(target.process().applied_errno, EPERM);
    const auto errors = target.errors();
    const control::ErrorState* const mbind = find_error(errors, MPOL_CTL_ERROR_MBIND);
    ASSERT_NE(mbind, nullptr);
    EXPECT_EQ(mbind->err, EPERM);
    const control::ErrorState* const task = find_error(errors, MPOL_CTL_ERROR_SET_MEMPOLICY);
    ASSERT_NE(task, nullptr);
    EXPECT_EQ(task->err, EPERM);
    EXPECT_EQ(policy_at(bench.pid(), before), "default");

    const pid_t tid = bench.tid(worker);
    set_thread(target, tid, bind_to({0}));
    bench.call(worker);
    EXPECT_EQ(target.thread(*target.slot_of(tid))->applied_errno, EPERM);
    bench.touch(worker, bench.allocate(worker, 1 << 20), 1 << 20);
    bench.allocate_many(0, 10'000, 1000);
    bench.fork();
    bench.call();
    bench.leave();
    EXPECT_EQ(bench.finish(), 0);
}

INSTANTIATE_TEST_SUITE_P(Filters, Seccomp,
                         testing::Values(SECCOMP_RET_ERRNO | EPERM, SECCOMP_RET_KILL_PROCESS));

}  // namespace mpol::test

// SPDX-License-Identifier: Apache-2.0
// Whose thread an id is, and which processes there are; and ids, descriptors and texts that are
// none.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <future>
#include <string>
#include <thread>

#include "control/attach.h"
#include "control/proc.h"
#include "control/proc_text.h"
#include "right_header.h"
#include "sys/sys.h"

namespace mpol::test {
namespace {

using namespace control;

constexpr pid_t kNobody = 4194304;  // one more than the kernel's PID_MAX_LIMIT leaves

class OwnThread : public testing::Test {
  protected:
    OwnThread()
        : thread_([this] {
              tid_.set_value(sys::thread_id());
              over_.get_future().wait();
          }) {}
    ~OwnThread() override {
        over_.set_value();
        thread_.join();
        ::close(proc_fd_);
    }

    std::promise<pid_t> tid_;
    std::promise<void> over_;
    int proc_fd_ = ::open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
    std::thread thread_;
};

TEST_F(OwnThread, IsTheProcesss) {
    const pid_t tid = tid_.get_future().get();
    ASSERT_NE(tid, ::getpid());
    EXPECT_EQ(process_of(tid), ::getpid());
    EXPECT_EQ(process_of(::getpid()), ::getpid());
    EXPECT_EQ(process_of(kNobody), std::nullopt);
    const auto inner = inner_tid(proc_fd_, tid);
    ASSERT_TRUE(inner);
    EXPECT_EQ(outer_tid(proc_fd_, *inner), tid);
    EXPECT_EQ(inner_tid(proc_fd_, kNobody), std::nullopt);
    EXPECT_EQ(outer_tid(proc_fd_, kNobody), std::nullopt);
}

TEST(Process, IsToldByItsDescriptor) {
    const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0));
    if (pidfd < 0) GTEST_SKIP() << "no pidfd_open here";
    EXPECT_EQ(process_of_pidfd(pidfd), ::getpid());
    ::close(pidfd);
    EXPECT_EQ(process_of_pidfd(pidfd), std::nullopt);
    const int file = ::memfd_create("no-pidfd", MFD_CLOEXEC);
    EXPECT_EQ(process_of_pidfd(file), std::nullopt);
    ::close(file);
}

TEST(Process, IsListed) {
    const auto all = all_processes();
    EXPECT_NE(std::find(all.begin(), all.end(), ::getpid()), all.end());
    EXPECT_EQ(std::find(all.begin(), all.end(), 0), all.end());
}

TEST(Process, IsAttachableWhileItHasASegment) {
    const auto is_listed = [] {
        const auto all = attachable_processes();
        return std::find(all.begin(), all.end(), ::getpid()) != all.end();
    };
    EXPECT_FALSE(is_listed());
    const mpol_ctl_header header = right_header();
    const int fd = ::memfd_create(MPOL_CTL_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    ASSERT_EQ(::pwrite(fd, &header, sizeof(header), 0), static_cast<ssize_t>(sizeof(header)));
    ASSERT_EQ(::ftruncate(fd, sizeof(mpol_ctl)), 0);
    ASSERT_EQ(::fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
    EXPECT_TRUE(is_listed());
    ::close(fd);
}

TEST(Process, HasAllowedNodesWhileItIsThere) {
    const auto nodes = mems_allowed(::getpid());
    ASSERT_TRUE(nodes);
    EXPECT_FALSE(nodes->empty());
    EXPECT_FALSE(mems_allowed(kNobody));
}

TEST(Process, OfTextsThatAreDamagedIsNone) {
    const std::string status = "Name:\ta\nNSpid:\t7\nThreads:\t1\n";
    std::string stat = "7 (a) b) S";
    EXPECT_FALSE(parse_task_ids(stat, status)) << "cut short";
    for (int field = 4; field < 22; ++field) stat += " 1";
    EXPECT_FALSE(parse_task_ids(stat, status)) << "no start time";
    EXPECT_FALSE(parse_task_ids(stat + " x", status)) << "no number";
    const auto right = parse_task_ids(stat + " 99 2", status);
    ASSERT_TRUE(right);
    EXPECT_EQ(right->inner_pid, 7);
    EXPECT_EQ(right->start_time, 99U);
    EXPECT_FALSE(right->exited);
    EXPECT_FALSE(parse_task_ids(stat + " 99", "Name:\ta\n")) << "no id of its own";
    EXPECT_FALSE(parse_task_ids("7 a S 1", status)) << "no name";
}

}  // namespace
}  // namespace mpol::test

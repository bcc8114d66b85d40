// SPDX-License-Identifier: Apache-2.0
// Daemons and sandboxes close all that they don't know. The mapping stays; the number, which may be
// the program's own by now, is never used again.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>

#include "workbench.h"

namespace mpol::test {
namespace {

uint64_t close_everything(uint64_t, uint64_t, std::string&) {
    return static_cast<uint64_t>(::close_range(3, ~0U, 0));
}
const Verb close_verb("close_everything", close_everything);

// The program opens a file under that very number. Returns whether it is still that file.
uint64_t occupy(uint64_t number, uint64_t, std::string&) {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;  // The number may lie beyond the soft limit.
    ::setrlimit(RLIMIT_NOFILE, &limit);
    const int fd = ::open("/dev/null", O_RDWR);
    ::dup2(fd, static_cast<int>(number));
    ::close(fd);
    return 0;
}
const Verb occupy_verb("occupy", occupy);

std::string link_of(pid_t pid, int fd) {
    char link[256]{};
    const std::string path = "/proc/" + std::to_string(pid) + "/fd/" + std::to_string(fd);
    return ::readlink(path.c_str(), link, sizeof(link) - 1) > 0 ? link : "";
}

// While it lives, the calling thread can't open /proc/PID/map_files, as if it were not root's; it
// may trace root's processes as before.
class NoWayByMappings {
  public:
    NoWayByMappings() {
        ::syscall(SYS_capget, &header_, before_);
        __user_cap_data_struct now[2] = {before_[0], before_[1]};
        for (const unsigned capability : {CAP_SYS_ADMIN, CAP_CHECKPOINT_RESTORE}) {
            now[capability / 32].effective &= ~(1U << capability % 32);
        }
        ::syscall(SYS_capset, &header_, now);
    }
    ~NoWayByMappings() { ::syscall(SYS_capset, &header_, before_); }
    NoWayByMappings(const NoWayByMappings&) = delete;
    NoWayByMappings& operator=(const NoWayByMappings&) = delete;

  private:
    __user_cap_header_struct header_{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct before_[2]{};
};

bool has_helper(const control::Target& target) {
    return (target.process().status & MPOL_CTL_STATUS_HELPER) != 0;
}

}  // namespace

TEST(ClosingAll, LeavesTheSegmentInTheHelpersHands) {
    Workbench bench;
    bench.start_thread(0);
    ASSERT_TRUE(eventually([&] { return has_helper(bench.attach()); }));
    bench.run(0, "close_everything");
    ASSERT_TRUE(segment_descriptors(bench.pid()).empty());
    const uint64_t memory = bench.allocate(0, 1 << 20);
    const NoWayByMappings as_its_user;
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({0}));
    EXPECT_EQ(policy_at(bench.pid(), memory), "bind:0");
}

// A pipe that the program closes has to be closed, whatever the helper does.
TEST(ClosingAll, LeavesNothingElseInTheHelpersHands) {
    Workbench bench;
    bench.start_thread(0);
    ASSERT_TRUE(eventually([&] { return has_helper(bench.attach()); }));
    unsigned helpers = 0;
    const std::string tasks = "/proc/" + std::to_string(bench.pid()) + "/task";
    for (const auto& task : std::filesystem::directory_iterator(tasks)) {
        const pid_t tid = std::stoi(task.path().filename());
        if (task_name(bench.pid(), tid) != "mpol-helper") continue;
        ++helpers;
        const std::filesystem::directory_iterator descriptors(task.path() / "fd");
        EXPECT_EQ(std::distance(begin(descriptors), end(descriptors)), 1);
        EXPECT_EQ(segment_descriptors(tid).size(), 1U);
    }
    EXPECT_EQ(helpers, 1U);
}

TEST(ClosingAll, LeavesTheSegmentToRoot) {
    Workbench bench;
    bench.call();
    bench.run(0, "close_everything");
    ASSERT_TRUE(segment_descriptors(bench.pid()).empty());
    const uint64_t memory = bench.allocate(0, 1 << 20);
    const unsigned worker = bench.start_thread(0);
    bench.allocate_many(worker, 10'000, 1000);
    if (::geteuid() != 0) GTEST_SKIP() << "only root reaches /proc/PID/map_files";
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({0}));
    EXPECT_EQ(policy_at(bench.pid(), memory), "bind:0");
}

TEST(ClosingAll, FreesTheNumberForTheProgram) {
    Workbench bench;
    bench.call();
    const int number = segment_descriptors(bench.pid()).at(0);
    bench.run(0, "close_everything");
    bench.run(0, "occupy", static_cast<uint64_t>(number));
    bench.call();
    const pid_t child = bench.fork();
    bench.call();
    EXPECT_EQ(link_of(child, number), "/dev/null");
    EXPECT_EQ(segment_descriptors(child).size(), 1U);
    EXPECT_EQ(header_of(segment_bytes(child)).header.pid, static_cast<uint32_t>(child));
    bench.leave();
    EXPECT_EQ(link_of(bench.pid(), number), "/dev/null");
}

}  // namespace mpol::test

// SPDX-License-Identifier: Apache-2.0
// A write to the cpuset of a cgroup, or of one above it, names the followed processes below; so
// does a move from cgroup to cgroup. Nothing else does.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "tests/machine/watched.h"

namespace mpol::daemon {
namespace {

namespace fs = std::filesystem;

// Of the hierarchy that has cpusets: v1's own, or the unified one.
std::string cpuset_root() {
    for (const char* root : {"/sys/fs/cgroup/cpuset", "/sys/fs/cgroup"}) {
        std::error_code ignored;
        if (!fs::exists(std::string(root) + "/cgroup.procs", ignored)) continue;
        return root;
    }
    return {};
}

class Cpusets : public Watched {
  protected:
    void SetUp() override {
        const std::string root = cpuset_root();
        top_ = root + "/mpol-machine-test-" + std::to_string(::getpid());
        std::error_code failed;
        if (root.empty() || !fs::create_directory(top_, failed)) {
            top_.clear();
            GTEST_SKIP() << "no cpuset hierarchy that can be written to";
        }
        // For its children to have cpusets: v2 wants the controller, v1 wants contents.
        write(top_ + "/cgroup.subtree_control", "+cpuset");
        write(top_ + "/cpuset.mems", "0");
        write(top_ + "/cpuset.cpus", "0");
        for (const std::string& folder : {left(), right()}) {
            fs::create_directory(folder);
            write(folder + "/cpuset.mems", "0");
            write(folder + "/cpuset.cpus", "0");
            if (!fs::exists(folder + "/cpuset.mems")) GTEST_SKIP() << "no cpusets in " << folder;
        }
        Watched::SetUp();
    }
    void TearDown() override {
        for (const pid_t pid : children_) {
            ::kill(pid, SIGKILL);
            ::waitpid(pid, nullptr, 0);
        }
        if (top_.empty()) return;
        for (const std::string& folder : {left(), right(), top_}) ::rmdir(folder.c_str());
    }

    [[nodiscard]] std::string left() const { return top_ + "/left"; }
    [[nodiscard]] std::string right() const { return top_ + "/right"; }

    pid_t spawn_in(const std::string& folder) {
        const pid_t pid = ::fork();
        if (pid == 0) {
            for (;;) ::pause();
        }
        children_.push_back(pid);
        EXPECT_TRUE(write(folder + "/cgroup.procs", std::to_string(pid)));
        return pid;
    }
    static bool names(const MachineChange& change) { return !change.processes.empty(); }

    std::string top_;
    std::vector<pid_t> children_;
};

TEST_F(Cpusets, AWriteNamesTheProcessesBelow) {
    const pid_t a = spawn_in(left());
    const pid_t b = spawn_in(right());
    ASSERT_TRUE(watch_->follow(a));
    ASSERT_TRUE(watch_->follow(b));
    ASSERT_TRUE(write(left() + "/cpuset.mems", "0"));
    auto change = wait_for(names);
    ASSERT_TRUE(change);
    EXPECT_EQ(change->processes, std::set<pid_t>{a});
    ASSERT_TRUE(write(top_ + "/cpuset.cpus", "0"));
    change = wait_for(names);
    ASSERT_TRUE(change);
    EXPECT_EQ(change->processes, (std::set<pid_t>{a, b}));
    watch_->forget(a);
    ASSERT_TRUE(write(top_ + "/cpuset.mems", "0"));
    change = wait_for(names);
    ASSERT_TRUE(change);
    EXPECT_EQ(change->processes, std::set<pid_t>{b});
}

TEST_F(Cpusets, AMoveNamesTheOneThatMoved) {
    const pid_t a = spawn_in(left());
    const pid_t b = spawn_in(right());
    ASSERT_TRUE(watch_->follow(a));
    ASSERT_TRUE(watch_->follow(b));
    ASSERT_TRUE(write(right() + "/cgroup.procs", std::to_string(a)));
    auto change = wait_for(names);
    ASSERT_TRUE(change);
    EXPECT_EQ(change->processes, std::set<pid_t>{a});
    // And it is followed there.
    ASSERT_TRUE(write(right() + "/cpuset.mems", "0"));
    change = wait_for(names);
    ASSERT_TRUE(change);
    EXPECT_EQ(change->processes, (std::set<pid_t>{a, b}));
}

TEST_F(Cpusets, ABurstIsToldOnce) {
    const pid_t a = spawn_in(left());
    ASSERT_TRUE(watch_->follow(a));
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(write(left() + "/cpuset.mems", "0"));
    ASSERT_TRUE(wait_for(names));
    // Whatever was left of it would be told within twice the time that a burst has.
    EXPECT_EQ(sd_event_run(loop_.get(), 2 * kSettleMs * 1000), 0);
    EXPECT_EQ(told_.size(), 1U);
}

TEST_F(Cpusets, AtRestNothingWakesTheLoop) {
    ASSERT_TRUE(watch_->follow(spawn_in(left())));
    constexpr uint64_t kRestUs = 2'000'000;
    EXPECT_EQ(sd_event_run(loop_.get(), kRestUs), 0);
    EXPECT_TRUE(told_.empty());
}

TEST_F(Cpusets, AProcessThatHasGoneCannotBeFollowed) {
    const pid_t pid = ::fork();
    if (pid == 0) ::_exit(0);
    ASSERT_EQ(::waitpid(pid, nullptr, 0), pid);
    EXPECT_FALSE(watch_->follow(pid));
    watch_->forget(pid);
}

}  // namespace
}  // namespace mpol::daemon

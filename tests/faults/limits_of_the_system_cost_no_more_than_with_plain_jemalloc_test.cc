// SPDX-License-Identifier: Apache-2.0
// What a machine may limit: descriptors, mappings, memory, files, system calls. The program gets as
// far as with plain jemalloc, and `mpol doctor PID` names what it lives under.
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <fstream>
#include <iostream>
#include <sstream>

#include "faults.h"

namespace mpol::test {
namespace {

constexpr int kNotHere = 123;  // Exit status of a child that can't be put under the limit.

struct Both {
    Outcome ours;
    Outcome plain;
    std::string doctor;
};

Both run_both(Plan plan) {
    Both both;
    plan.allocator = Allocator::kPlainJemalloc;
    both.plain = run_plainly(plan);
    plan.allocator = Allocator::kOurs;
    plan.at_end = [&](pid_t pid) { both.doctor = doctor(pid); };
    both.ours = run_plainly(plan);
    return both;
}

void expect_named(const Both& both, const std::string& cause) {
    EXPECT_NE(both.doctor.find(cause), std::string::npos) << both.doctor;
}

void expect_nothing_wrong(const Both& both) {
    EXPECT_NE(both.doctor.find("(fault-subject)"), std::string::npos) << both.doctor;
    // The doctor may come between a rewrite and its application.
    const std::string pending = "is not in force yet";
    for (size_t at = 0; (at = both.doctor.find("  problem ", at)) != std::string::npos;) {
        const size_t end = both.doctor.find('\n', at);
        EXPECT_NE(both.doctor.substr(at, end - at).find(pending), std::string::npos) << both.doctor;
        at = end;
    }
}

void limit_descriptors() {
    const rlimit both{8, 8};
    ::setrlimit(RLIMIT_NOFILE, &both);
}

// A file system of one page on /dev/shm, and that page taken; named by TMPDIR.
void fill_tmpfs() {
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("full", "/dev/shm", "tmpfs", 0, "size=4096") != 0) {
        ::_exit(kNotHere);
    }
    const int fd = ::open("/dev/shm/full", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    char page[4096] = {};
    while (::write(fd, page, sizeof(page)) > 0) {
    }
    ::close(fd);
    ::setenv("TMPDIR", "/dev/shm", 1);
}

void filter_mbind(unsigned action) {
    sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mbind, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, action),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog filter{sizeof(program) / sizeof(program[0]), program};
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
        ::_exit(kNotHere);
    }
}

// A memory cgroup below this process's own, of version 2 or 1.
class MemoryGroup {
  public:
    explicit MemoryGroup(uint64_t bytes) {
        std::ifstream groups("/proc/self/cgroup");
        for (std::string line; std::getline(groups, line);) {
            const size_t path = line.find('/');
            const bool v1 = line.find(":memory:") != std::string::npos;
            if (path == std::string::npos || (!v1 && line.rfind("0::", 0) != 0)) continue;
            const std::string parent =
                fmt::format("/sys/fs/cgroup{}{}", v1 ? "/memory" : "", line.substr(path));
            if (make(fmt::format("{}/mpol-faults-{}", parent, ::getpid()),
                     v1 ? "memory.limit_in_bytes" : "memory.max", bytes)) {
                return;
            }
        }
    }
    ~MemoryGroup() {
        if (path_.empty()) return;
        EXPECT_EQ(::rmdir(path_.c_str()), 0) << path_;
    }
    MemoryGroup(const MemoryGroup&) = delete;
    MemoryGroup& operator=(const MemoryGroup&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }

  private:
    bool make(const std::string& path, const char* limit, uint64_t bytes) {
        if (::mkdir(path.c_str(), 0755) != 0) return false;
        std::ofstream file(path + "/" + limit);
        file << bytes << std::flush;
        if (!file) {
            ::rmdir(path.c_str());
            return false;
        }
        path_ = path;
        return true;
    }

    std::string path_;
};

std::function<void()> enter(const MemoryGroup& group) {
    return [path = group.path() + "/cgroup.procs"] {
        const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
        if (::write(fd, "0", 1) != 1) ::_exit(kNotHere);
        ::close(fd);
    };
}

}  // namespace

TEST(SystemLimits, EightDescriptors) {
    const Both both = run_both({.before_exec = limit_descriptors});
    EXPECT_EQ(both.ours.status, 0);
    EXPECT_EQ(both.ours.last, both.plain.last);
    expect_nothing_wrong(both);
}

TEST(SystemLimits, FullTmpfs) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root may mount";
    const Both both = run_both({.before_exec = fill_tmpfs});
    if (both.plain.status == kNotHere) GTEST_SKIP() << "no mount namespace to be had";
    EXPECT_EQ(both.ours.status, 0);
    EXPECT_EQ(both.ours.last, both.plain.last);
    expect_nothing_wrong(both);
}

TEST(SystemLimits, FilterThatRefusesMbind) {
    const Both both = run_both({.before_exec = [] { filter_mbind(SECCOMP_RET_ERRNO | EPERM); }});
    EXPECT_EQ(both.ours.status, 0);
    EXPECT_EQ(both.ours.last, both.plain.last);
    expect_named(both, "its seccomp filter has to allow mbind");
}

TEST(SystemLimits, FilterThatKillsForMbind) {
    const Both both = run_both({.before_exec = [] { filter_mbind(SECCOMP_RET_KILL_PROCESS); }});
    EXPECT_EQ(both.ours.status, 0);
    EXPECT_EQ(both.ours.last, both.plain.last);
    expect_named(both, "its seccomp filter has to allow mbind");
}

class FewMappings : public testing::TestWithParam<unsigned> {};

TEST_P(FewMappings, AreLeft) {
    const Both both = run_both({.arguments = {"mappings", std::to_string(GetParam())}});
    if (both.plain.status == 4) GTEST_SKIP() << "no limit of mappings could be reached";
    std::cout << "plain: " << both.plain.last << "\nours:  " << both.ours.last << '\n';
    EXPECT_EQ(both.ours.status, 0);
    EXPECT_EQ(both.ours.number("corrupt"), 0U);
    // What it has reserved is enough for it; a thread's stack is a mapping in either case.
    EXPECT_EQ(both.ours.number("nulls"), 0U);
    // Plain jemalloc 5.3 may crash at the limit: a thread of which no arena could be made.
    if (both.plain.status == 0) {
        EXPECT_LE(both.ours.number("refused"),
                  both.plain.number("nulls") + both.plain.number("refused"));
    }
    expect_named(both, "raise vm.max_map_count");
}

INSTANTIATE_TEST_SUITE_P(SystemLimits, FewMappings, testing::Values(100, 10));

TEST(SystemLimits, MemoryThatItsGroupMayUse) {
    constexpr uint64_t mebibyte = 1 << 20;
    const MemoryGroup group(64 * mebibyte);
    if (group.path().empty()) GTEST_SKIP() << "no memory cgroup can be made here";
    const Both within = run_both({.before_exec = enter(group), .arguments = {"hold", "56"}});
    EXPECT_EQ(within.plain.status, 0);
    EXPECT_EQ(within.ours.status, 0);
    EXPECT_EQ(within.ours.last, within.plain.last);
    expect_named(within, "its cgroup uses");
    // The kernel ends both for what they touch.
    const Both beyond = run_both({.before_exec = enter(group), .arguments = {"hold", "80"}});
    EXPECT_EQ(beyond.plain.status, 128 + SIGKILL);
    EXPECT_EQ(beyond.ours.status, 128 + SIGKILL);
}

}  // namespace mpol::test

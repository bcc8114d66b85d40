// SPDX-License-Identifier: Apache-2.0
// Who waits for a lock of jemalloc's that the helper holds waits for whoever has the helper's processor:
// it has the lowest nice value where the process may lower one, and nobody else has.
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "workbench.h"

namespace mpol::test {
namespace {

constexpr int kLowest = -20;
constexpr int kUnreadable = 1000;

// Field 19 of stat.
int nice_of(pid_t pid, pid_t tid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/task/" + std::to_string(tid) + "/stat");
    std::string text;
    std::getline(file, text);
    const size_t behind_name = text.rfind(')');
    if (behind_name == std::string::npos) return kUnreadable;
    std::istringstream fields(text.substr(behind_name + 1));
    std::string field;
    for (int number = 3; number <= 19; ++number) fields >> field;
    return std::stoi(field);
}

pid_t helper_of(pid_t pid) {
    pid_t helper = 0;
    const bool there = eventually([&] { return (helper = task_named(pid, "mpol-helper")) != 0; });
    EXPECT_TRUE(there) << "no helper";
    return helper;
}

// All but the helper.
void expect_usual(pid_t pid, int nice) {
    for (const pid_t tid : tasks(pid)) {
        if (task_name(pid, tid) == "mpol-helper") continue;
        EXPECT_EQ(nice_of(pid, tid), nice) << task_name(pid, tid);
    }
}

int own_nice() {
    return ::getpriority(PRIO_PROCESS, 0);
}

bool may_hurry() {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(::setpriority(PRIO_PROCESS, 0, kLowest) == 0 ? 0 : 1);
    int status = -1;
    return ::waitpid(child, &status, 0) == child && status == 0;
}

class HelperThatMayHurry : public testing::Test {
  protected:
    void SetUp() override {
        if (!may_hurry()) GTEST_SKIP() << "needs CAP_SYS_NICE or RLIMIT_NICE";
    }
};

}  // namespace

TEST_F(HelperThatMayHurry, DoesSoAlone) {
    Workbench bench;
    const unsigned early = bench.start_thread(0);
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({0}), {0, early});
    const pid_t helper = helper_of(bench.pid());
    EXPECT_TRUE(eventually([&] { return nice_of(bench.pid(), helper) == kLowest; }));
    bench.start_thread(early);
    // The helper makes it; it ends where it can watch nothing, which the log tells then.
    EXPECT_TRUE(eventually([&] {
        return task_named(bench.pid(), "mpol-cpuset") != 0 || !target.errors().empty();
    }));
    expect_usual(bench.pid(), own_nice());
    const pid_t child = bench.fork(early);
    expect_usual(child, own_nice());
    bench.leave();
}

TEST(HelperThatMayNotHurry, Helps) {
    Options options;
    options.before_exec = [] {
        const rlimit none{};
        ::setrlimit(RLIMIT_NICE, &none);
        ::prctl(PR_CAPBSET_DROP, CAP_SYS_NICE);
    };
    Workbench bench(options);
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({0}));
    const pid_t helper = helper_of(bench.pid());
    EXPECT_EQ(nice_of(bench.pid(), helper), own_nice());
    bench.set_all(target, std::nullopt);
}

}  // namespace mpol::test

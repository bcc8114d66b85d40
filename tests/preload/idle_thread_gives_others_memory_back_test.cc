// SPDX-License-Identifier: Apache-2.0
// What a thread holds of another scope's memory goes home when it idles, without an allocator call
// of its own: the helper thread sees to it, and then sleeps until somebody needs it again. It also
// goes home when the thread exits, with or without a helper.
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <thread>

#include "workbench.h"

namespace mpol::test {
namespace {

constexpr unsigned kObjects = 100;

// Frees memory of the process's scope by a thread that has its own.
void free_others_memory(Workbench& bench, unsigned thread) {
    for (unsigned i = 0; i < kObjects; ++i) bench.release(thread, bench.allocate(0, 64));
}

// How often the thread has gone to sleep.
uint64_t sleeps(pid_t pid, pid_t tid) {
    std::ifstream status("/proc/" + std::to_string(pid) + "/task/" + std::to_string(tid) +
                         "/status");
    const std::string wanted = "voluntary_ctxt_switches:";
    for (std::string line; std::getline(status, line);) {
        if (line.rfind(wanted, 0) == 0) return std::stoull(line.substr(wanted.size()));
    }
    return 0;
}

// What it has begun, its own start for one, it may end first; what wakes it again and again goes
// on.
void expect_undisturbed(pid_t pid, pid_t tid) {
    constexpr int kLooks = 3;
    uint64_t woken = 1;
    for (int look = 0; look < kLooks && woken != 0; ++look) {
        const uint64_t before = sleeps(pid, tid);
        std::this_thread::sleep_for(std::chrono::milliseconds(2'500));
        woken = sleeps(pid, tid) - before;
    }
    EXPECT_EQ(woken, 0U) << "the helper woke up for nothing";
}

}  // namespace

TEST(IdleThread, GivesOthersMemoryBackAndTheHelperRestsAgain) {
    Workbench bench;
    control::Target target = bench.attach();
    const unsigned worker = bench.start_thread(0);
    bench.set_one(target, bind_to({0}), worker);
    pid_t helper = 0;
    ASSERT_TRUE(eventually([&] { return (helper = task_named(bench.pid(), "mpol-helper")) != 0; }));
    // Twice: it can be called again.
    for (uint64_t round = 1; round <= 2; ++round) {
        expect_undisturbed(bench.pid(), helper);
        const auto begin = std::chrono::steady_clock::now();
        free_others_memory(bench, worker);
        EXPECT_LT(target.counter(MPOL_CTL_FOREIGN_FREES), round * kObjects) << "nothing was held";
        EXPECT_TRUE(
            eventually([&] { return target.counter(MPOL_CTL_FOREIGN_FREES) == round * kObjects; }));
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
        EXPECT_LT(took.count(), 5.0);
    }
    expect_undisturbed(bench.pid(), helper);
}

TEST(ExitingThread, GivesOthersMemoryBack) {
    Options options;
    options.environment = {"MPOL_HELPER=0"};
    Workbench bench(options);
    control::Target target = bench.attach();
    const unsigned worker = bench.start_thread(0);
    bench.set_one(target, bind_to({0}), worker);
    free_others_memory(bench, worker);
    EXPECT_EQ(target.counter(MPOL_CTL_FOREIGN_FREES), 0U);
    bench.end_thread(worker);
    EXPECT_TRUE(eventually([&] { return target.counter(MPOL_CTL_FOREIGN_FREES) == kObjects; }));
}

TEST(ForkedChild, TakesHomeWhatItsParentsThreadsHeld) {
    Options options;
    options.environment = {"MPOL_HELPER=0"};
    Workbench bench(options);
    control::Target target = bench.attach();
    const unsigned worker = bench.start_thread(0);
    bench.set_one(target, bind_to({0}), worker);
    free_others_memory(bench, worker);
    const pid_t child = bench.fork(0);
    bench.call();
    EXPECT_EQ(attach(child).counter(MPOL_CTL_FOREIGN_FREES), kObjects);
    bench.leave();
    EXPECT_EQ(target.counter(MPOL_CTL_FOREIGN_FREES), 0U);
}

}  // namespace mpol::test

// SPDX-License-Identifier: Apache-2.0
// A thread's own policy: its own scope, for what it allocates from then on. Earlier memory stays
// the process's; after an unset the thread draws from the process again.
#include <gtest/gtest.h>

#include "workbench.h"

namespace mpol::test {
namespace {

uint32_t scope_of(const control::Target& target, pid_t tid) {
    return target.thread(target.slot_of(tid).value()).value().scope;
}

bool all_in_scope(const control::Target& target, const std::vector<uint64_t>& units,
                  uint32_t scope) {
    for (const uint64_t unit : units) {
        if (!in_regions(target, unit << 30, scope)) return false;
    }
    return !units.empty();
}

}  // namespace

TEST(ThreadPolicy, LeavesEarlierMemoryToTheProcess) {
    Workbench bench;
    const unsigned worker = bench.start_thread(0);
    const uint64_t earlier = bench.allocate(worker, 1 << 20);
    control::Target target = bench.attach();
    const pid_t tid = bench.tid(worker);
    bench.set_one(target, bind_to({0}), worker);
    const uint64_t later = bench.allocate(worker, 1 << 20);

    EXPECT_NE(scope_of(target, tid), 0U);
    EXPECT_TRUE(in_regions(target, earlier, 0));
    EXPECT_TRUE(in_regions(target, later, scope_of(target, tid)));
    EXPECT_EQ(policy_at(bench.pid(), earlier), "default");
    EXPECT_EQ(policy_at(bench.pid(), later), "bind:0");
    bench.set_all(target, make_policy(Mode::kInterleave, {0}));
    EXPECT_EQ(policy_at(bench.pid(), earlier), "interleave:0");
    EXPECT_EQ(policy_at(bench.pid(), later), "bind:0");
}

TEST(ThreadPolicy, GovernsSmallAndLargeObjects) {
    Workbench bench;
    const unsigned worker = bench.start_thread(0);
    bench.allocate_many(worker, 10'000, 64);
    bench.release_many(worker);  // The thread's cache is full of the process's memory.
    control::Target target = bench.attach();
    const pid_t tid = bench.tid(worker);
    set_thread(target, tid, bind_to({0}));
    for (const size_t size : {16, 64, 4096, 40'000, 3'000'000}) {
        const auto units = bench.allocate_many(worker, 100, size);
        EXPECT_TRUE(all_in_scope(target, units, scope_of(target, tid))) << size;
    }
}

TEST(ThreadPolicy, EndsWithUnset) {
    Workbench bench;
    const unsigned worker = bench.start_thread(0);
    control::Target target = bench.attach();
    const pid_t tid = bench.tid(worker);
    bench.set_all(target, make_policy(Mode::kPreferred, {0}));
    bench.set_one(target, bind_to({0}), worker);
    const uint64_t own = bench.allocate(worker, 1 << 20);
    EXPECT_EQ(policy_at(bench.pid(), own), "bind:0");
    bench.set_one(target, std::nullopt, worker);
    EXPECT_EQ(scope_of(target, tid), 0U);
    const uint64_t later = bench.allocate(worker, 1 << 20);
    EXPECT_TRUE(in_regions(target, later, 0));
    EXPECT_EQ(policy_at(bench.pid(), later), "prefer:0");
    EXPECT_EQ(policy_at(bench.pid(), own), "prefer:0") << "its memory follows the process again";
    EXPECT_EQ(task_policy(bench.pid(), tid), "prefer:0");
}

TEST(ThreadPolicy, ReturnsToItsScopeWhenSetAgain) {
    Workbench bench;
    const unsigned worker = bench.start_thread(0);
    control::Target target = bench.attach();
    for (int round = 0; round < 20; ++round) {
        bench.set_one(target, bind_to({0}), worker);
        EXPECT_EQ(policy_at(bench.pid(), bench.allocate(worker, 1 << 20)), "bind:0");
        bench.set_one(target, std::nullopt, worker);
        EXPECT_EQ(policy_at(bench.pid(), bench.allocate(worker, 1 << 20)), "default");
    }
    EXPECT_LE(target.counter(MPOL_CTL_SCOPES), 1U);
}

}  // namespace mpol::test

// SPDX-License-Identifier: Apache-2.0
// A thread with a policy of its own may have another one for its large allocations: by every
// allocator function, for itself and what it starts or forks, until one of the two policies is
// taken back.
#include <gtest/gtest.h>

#include <cerrno>
#include <new>

#include "workbench.h"

namespace mpol::test {
namespace {

constexpr size_t kMiB = size_t{1} << 20;

control::ThreadState state_of(const control::Target& target, pid_t tid) {
    return target.thread(target.slot_of(tid).value()).value();
}

const Policy kLargePolicy = make_policy(Mode::kPreferred, {0});

// The worker is bound to node 0, its large allocations prefer it: told apart by their text.
struct Bench : Workbench {
    control::Target target = attach();
    unsigned worker = start_thread(kMain);

    explicit Bench(const Options& options = {}) : Workbench(options) {
        set_one(target, bind_to({0}), worker);
        set_large(target, kMiB, kLargePolicy, worker);
    }
    std::string policy_of_new(unsigned thread, size_t size) {
        return policy_at(pid(), allocate(thread, size));
    }
};

uint64_t aligned_new(uint64_t size, uint64_t alignment, std::string&) {
    return reinterpret_cast<uint64_t>(::operator new (size, std::align_val_t{alignment}));
}
const Verb aligned_new_registered("aligned-new", aligned_new);

uint64_t plain_new(uint64_t size, uint64_t, std::string&) {
    return reinterpret_cast<uint64_t>(::operator new(size));
}
const Verb plain_new_registered("new", plain_new);

}  // namespace

TEST(ThreadsLarge, ComesFromItsOwnRegionsByEveryFunction) {
    Bench bench;
    const control::ThreadState state = state_of(bench.target, bench.tid(bench.worker));
    ASSERT_TRUE(state.large());
    EXPECT_NE(state.large()->scope, state.scope);
    const uint64_t small = bench.allocate(bench.worker, kMiB / 2);
    EXPECT_TRUE(in_regions(bench.target, small, state.scope));
    const uint64_t blocks[] = {bench.allocate(bench.worker, kMiB),
                               bench.allocate_zeroed(bench.worker, kMiB),
                               bench.run(bench.worker, "aligned", kMiB, 4096),
                               bench.run(bench.worker, "aligned", kMiB, 2 * kMiB),
                               bench.run(bench.worker, "new", kMiB),
                               bench.run(bench.worker, "aligned-new", kMiB, 2 * kMiB),
                               bench.run(bench.worker, "realloc", small, kMiB),
                               bench.run(bench.worker, "realloc", 0, kMiB)};
    for (const uint64_t block : blocks) {
        EXPECT_TRUE(in_regions(bench.target, block, state.large()->scope));
        EXPECT_EQ(policy_at(bench.pid(), block), "prefer:0");
        bench.release(bench.worker, block);
    }
    EXPECT_EQ(blocks[3] % (2 * kMiB), 0U);
    EXPECT_EQ(blocks[5] % (2 * kMiB), 0U);
    EXPECT_EQ(bench.policy_of_new(bench.worker, kMiB - 1), "bind:0");
    EXPECT_EQ(bench.policy_of_new(Workbench::kMain, kMiB), "default");
    EXPECT_EQ(bench.finish(), 0);
}

TEST(ThreadsLarge, CrossesTheThresholdWithItsContents) {
    Bench bench;
    bench.set_kind(bench.target, {MPOL_CTL_KIND_LARGE, 2 * kMiB}, bind_to({0}));
    EXPECT_EQ(bench.run(bench.worker, "churn", 300), 0U);
    EXPECT_EQ(bench.run(Workbench::kMain, "churn", 100), 0U);
    bench.set_large(bench.target, size_t{64} << 10, kLargePolicy, bench.worker);
    EXPECT_EQ(bench.run(bench.worker, "churn", 100), 0U);
    // Another thread's block stays with its owner while it fits.
    const uint64_t block = bench.allocate(bench.worker, 4 * kMiB);
    EXPECT_EQ(bench.run(Workbench::kMain, "realloc", block, 4 * kMiB - 100), block);
    bench.release(Workbench::kMain, block);
    EXPECT_EQ(bench.finish(), 0);
}

TEST(ThreadsLarge, FollowsTheThreadThenTheProcessOnceTakenBack) {
    Bench bench;
    const uint64_t large = bench.allocate(bench.worker, 4 * kMiB);
    bench.set_large(bench.target, 0, std::nullopt, bench.worker);
    EXPECT_EQ(policy_at(bench.pid(), large), "bind:0");
    EXPECT_EQ(bench.policy_of_new(bench.worker, kMiB), "bind:0");
    bench.set_one(bench.target, make_policy(Mode::kInterleave, {0}), bench.worker);
    EXPECT_EQ(policy_at(bench.pid(), large), "interleave:0");
    bench.set_large(bench.target, 2 * kMiB, kLargePolicy, bench.worker);
    EXPECT_EQ(policy_at(bench.pid(), large), "prefer:0");
    EXPECT_EQ(bench.policy_of_new(bench.worker, kMiB), "interleave:0");
    // With its own policy the thread's other one goes, and doesn't come back with the next.
    bench.set_one(bench.target, std::nullopt, bench.worker);
    EXPECT_TRUE(eventually([&] { return policy_at(bench.pid(), large) == "default"; }));
    EXPECT_EQ(bench.policy_of_new(bench.worker, 2 * kMiB), "default");
    bench.set_one(bench.target, bind_to({0}), bench.worker);
    EXPECT_EQ(bench.policy_of_new(bench.worker, 2 * kMiB), "bind:0");
    EXPECT_EQ(bench.finish(), 0);
}

TEST(ThreadsLarge, IsRefusedToAThreadThatFollowsTheProcess) {
    Workbench bench;
    control::Target target = bench.attach();
    const auto slot = target.slot_of(bench.tid(0)).value();
    const auto refused =
        target.publish_own_kind(slot, {MPOL_CTL_KIND_LARGE, kMiB}, kLargePolicy, kWaitMs);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().err, ENODATA);
    EXPECT_EQ(bench.finish(), 0);
}

TEST(ThreadsLarge, IsCopiedByItsThreadsAndByFork) {
    Bench bench;
    const unsigned created = bench.start_thread(bench.worker);
    const uint64_t memory = bench.allocate(created, kMiB);
    EXPECT_EQ(policy_at(bench.pid(), memory), "prefer:0");
    const control::ThreadState copied = state_of(bench.target, bench.tid(created));
    const control::ThreadState creator = state_of(bench.target, bench.tid(bench.worker));
    ASSERT_TRUE(copied.large() && copied.large()->asked.set);
    EXPECT_EQ(copied.large()->threshold, kMiB);
    EXPECT_TRUE(in_regions(bench.target, memory, copied.large()->scope));
    EXPECT_NE(copied.large()->scope, creator.large()->scope);
    // A rewrite of the creator's is not its copy's.
    bench.set_large(bench.target, kMiB, make_policy(Mode::kInterleave, {0}), bench.worker);
    EXPECT_EQ(policy_at(bench.pid(), bench.allocate(created, kMiB)), "prefer:0");

    const pid_t pid = bench.fork(bench.worker);
    EXPECT_EQ(policy_at(pid, bench.allocate(Workbench::kMain, kMiB)), "interleave:0");
    EXPECT_EQ(policy_at(pid, bench.allocate(Workbench::kMain, kMiB / 2)), "bind:0");
    bench.leave();
    EXPECT_EQ(bench.finish(), 0);
}

TEST(ThreadsLarge, IsForgottenWithItsThread) {
    Bench bench;
    bench.allocate(bench.worker, kMiB);
    bench.end_thread(bench.worker);
    const uint64_t made = bench.target.counter(MPOL_CTL_SCOPES);
    for (int i = 0; i < 10; ++i) {
        const unsigned next = bench.start_thread(Workbench::kMain);
        EXPECT_FALSE(state_of(bench.target, bench.tid(next))
                         .large()
                         .value_or(control::KindState{})
                         .asked.set);
        EXPECT_EQ(bench.policy_of_new(next, kMiB), "default");
        bench.set_one(bench.target, bind_to({0}), next);
        bench.set_large(bench.target, kMiB, kLargePolicy, next);
        EXPECT_EQ(bench.policy_of_new(next, kMiB), "prefer:0");
        bench.end_thread(next);
    }
    EXPECT_EQ(bench.target.counter(MPOL_CTL_SCOPES), made) << "two scopes go from thread to thread";
    EXPECT_EQ(bench.finish(), 0);
}

TEST(ThreadsLarge, TakesNoHostileRow) {
    Bench bench;
    const control::ThreadSlot slot = bench.target.slot_of(bench.tid(bench.worker)).value();
    // Below what thread caches serve: refused, and what is in force stays.
    const auto generation =
        bench.target.publish_own_kind(slot, {MPOL_CTL_KIND_LARGE, 100}, bind_to({0}), kWaitMs);
    ASSERT_TRUE(generation);
    bench.call(bench.worker);
    ASSERT_TRUE(bench.target.wait_own_kind(slot, MPOL_CTL_KIND_LARGE, *generation, kWaitMs));
    EXPECT_EQ(bench.target.thread(slot)->large()->applied_errno, ERANGE);
    EXPECT_EQ(bench.policy_of_new(bench.worker, kMiB), "prefer:0");
    EXPECT_EQ(bench.policy_of_new(bench.worker, 4096), "bind:0");
    EXPECT_EQ(bench.finish(), 0);
}

}  // namespace mpol::test

// SPDX-License-Identifier: Apache-2.0
// Until its first allocator call a child shows its parent's segment; nobody must mistake it for the
// child's, and the child must not write it. A raw clone skips every fork handler: there the library
// notices when the heap grows, when a thread starts, or when something is published.
#include <gtest/gtest.h>

#include <cerrno>

#include "workbench.h"

namespace mpol::test {
namespace {

using Fork = pid_t (Workbench::*)(unsigned);

void child_gets_own_segment(Fork fork) {
    Workbench bench;
    bench.call();
    const std::string parents = segment_bytes(bench.pid());
    const pid_t child_pid = (bench.*fork)(0);

    const auto early = control::Target::attach(child_pid, control::Access::kWrite);
    if (!early) {
        EXPECT_EQ(early.error().err, EPROTO) << early.error().what;
    } else {
        EXPECT_EQ(header_of(segment_bytes(child_pid)).header.pid, static_cast<uint32_t>(child_pid));
    }
    if (fork == &Workbench::clone_raw) bench.allocate(0, size_t{64} << 20);
    bench.call();
    EXPECT_EQ(segment_descriptors(child_pid).size(), 1U);
    EXPECT_EQ(header_of(segment_bytes(child_pid)).header.pid, static_cast<uint32_t>(child_pid));
    EXPECT_EQ(attach(child_pid).threads().size(), 1U);
    bench.leave();
}

void child_never_writes_parents(Fork fork) {
    // Without a helper the parent has nothing of its own to write.
    Workbench bench({.environment = {"MPOL_HELPER=0"}});
    const unsigned worker = bench.start_thread(0);
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({0}), {0, worker});
    const std::string before = segment_bytes(bench.pid());
    const pid_t child_pid = (bench.*fork)(0);
    bench.call();
    bench.allocate_many(0, 100'000, 1000);  // New regions' worth, and the doorbell of a large heap.
    bench.release_many(0);
    control::Target child = attach(child_pid);
    set_process(child, make_policy(Mode::kInterleave, {0}));
    set_thread(child, child_pid, make_policy(Mode::kPreferred, {0}));
    bench.call();
    bench.start_thread(0);
    EXPECT_TRUE(before == segment_bytes(bench.pid()));
    EXPECT_EQ(task_policy(child_pid), "prefer:0");
    bench.leave();
}

}  // namespace

TEST(Segment, IsTheForkedChildsOwnAfterItsFirstCall) {
    child_gets_own_segment(&Workbench::fork);
}
TEST(Segment, IsTheClonedChildsOwnAfterItsHeapGrew) {
    child_gets_own_segment(&Workbench::clone_raw);
}
TEST(Segment, OfTheParentIsNotWrittenByAForkedChild) {
    child_never_writes_parents(&Workbench::fork);
}
TEST(Segment, OfTheParentIsNotWrittenByAClonedChild) {
    child_never_writes_parents(&Workbench::clone_raw);
}

TEST(Segment, OfTheParentIsNotWrittenByAClonedChildsThreads) {
    Workbench bench;
    bench.call();
    const std::string before = segment_bytes(bench.pid());
    const pid_t child_pid = bench.clone_raw();
    const unsigned worker = bench.start_thread(0);
    bench.call(worker);
    bench.end_thread(worker);
    EXPECT_TRUE(before == segment_bytes(bench.pid()));
    EXPECT_EQ(attach(child_pid).threads().size(), 1U);
    bench.leave();
}

TEST(Segment, DescriptorsDoNotPileUpInAChainOfForks) {
    Workbench bench;
    bench.call();
    pid_t last = bench.pid();
    for (int depth = 0; depth < 50; ++depth) {
        last = bench.fork();
        bench.call();
    }
    EXPECT_EQ(segment_descriptors(last).size(), 1U);
    for (int depth = 0; depth < 50; ++depth) bench.leave();
}

}  // namespace mpol::test

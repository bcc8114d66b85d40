// SPDX-License-Identifier: Apache-2.0
// A vforked child runs in its parent's memory: whatever it wrote, the parent would find.
#include <gtest/gtest.h>

#include "workbench.h"

namespace mpol::test {
namespace {

void check_segment_survives(void (*start_and_end)(Workbench&)) {
    // Without a helper the parent has nothing of its own to write.
    Workbench bench({.environment = {"MPOL_HELPER=0"}});
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({0}));
    start_and_end(bench);  // The first time, stdio and libc allocate for themselves.
    const std::string before = segment_bytes(bench.pid());
    start_and_end(bench);
    EXPECT_TRUE(before == segment_bytes(bench.pid()));
    EXPECT_EQ(segment_descriptors(bench.pid()).size(), 1U);
    EXPECT_EQ(task_policy(bench.pid()), "bind:0");
}

}  // namespace

TEST(Vfork, LeavesTheSegmentAlone) {
    check_segment_survives([](Workbench& bench) {
        const pid_t child = bench.vfork_exec();
        EXPECT_EQ(task_policy(child), "bind:0");
        bench.leave();
    });
}

TEST(PosixSpawn, LeavesTheSegmentAlone) {
    check_segment_survives([](Workbench& bench) {
        const pid_t child = bench.spawn();
        EXPECT_EQ(task_policy(child), "bind:0");
        bench.leave();
    });
}

TEST(System, LeavesTheSegmentAlone) {
    check_segment_survives([](Workbench& bench) { EXPECT_EQ(bench.system(), 0); });
}

}  // namespace mpol::test

// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <string>

#include "fs/facts.h"

namespace mpol::fs {
namespace {

ProcessFacts facts_of(const Policy& policy, uint64_t generation, uint64_t applied) {
    ProcessFacts facts;
    facts.pid = 42;
    facts.comm = "redis";
    facts.allowed = NodeMask::first_nodes(4);
    facts.state.asked.set = true;
    facts.state.asked.policy = policy;
    facts.state.asked.generation = generation;
    facts.state.asked.origin = {MPOL_CTL_ORIGIN_OUTSIDE, 1000, 77, 1'700'000'000'123'000'000};
    facts.state.applied = applied;
    return facts;
}

Policy interleave(unsigned nodes) {
    return {.mode = Mode::kInterleave, .nodes = NodeMask::first_nodes(nodes)};
}

bool has_line(const std::string& text, const std::string& line) {
    return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

TEST(PolicyText, ShowsEffectiveNodes) {
    ProcessFacts facts = facts_of(interleave(4), 3, 3);
    facts.state.effective = NodeMask::first_nodes(2);
    EXPECT_EQ(process_policy_text(facts.state, facts.allowed), "interleave:0-1");
}

TEST(PolicyText, OfAPendingPolicyShowsWhatItWillMean) {
    ProcessFacts facts = facts_of(interleave(4), 4, 3);
    facts.state.effective = NodeMask::of(9);  // the last policy's
    EXPECT_EQ(process_policy_text(facts.state, NodeMask::first_nodes(3)), "interleave:0-2");
}

TEST(PolicyText, OutsideTheCpusetShowsWhatWasAsked) {
    EXPECT_EQ(effective_text(interleave(2), NodeMask::of(7)), "interleave:0-1");
    EXPECT_EQ(effective_text(Policy{}, {}), "default");
}

TEST(Status, TellsWhatIsInForce) {
    ProcessFacts facts = facts_of(interleave(4), 3, 3);
    const std::string text = status_text(facts);
    EXPECT_TRUE(has_line(text, "name:\tredis")) << text;
    EXPECT_TRUE(has_line(text, "pid:\t42")) << text;
    EXPECT_TRUE(has_line(text, "policy:\tinterleave:0-3")) << text;
    EXPECT_TRUE(has_line(text, "effective:\tinterleave:0-3")) << text;
    EXPECT_TRUE(has_line(text, "pending:\tno")) << text;
    EXPECT_TRUE(has_line(text, "set_by:\toutside uid=1000 pid=77")) << text;
    EXPECT_TRUE(has_line(text, "set_at:\t2023-11-14T22:13:20.123Z")) << text;
}

TEST(Status, TellsWhatIsNot) {
    ProcessFacts facts = facts_of(interleave(4), 4, 3);
    facts.state.applied_errno = EPERM;
    facts.state.status = MPOL_CTL_STATUS_NO_NUMA;
    facts.errors.push_back({MPOL_CTL_ERROR_MBIND, EPERM, 2, 0, 1'000'000'000, {}});
    const std::string text = status_text(facts);
    EXPECT_TRUE(has_line(text, "pending:\tyes")) << text;
    EXPECT_TRUE(has_line(text, "errno:\tEPERM")) << text;
    EXPECT_TRUE(has_line(text, "numa:\trefused")) << text;
    EXPECT_TRUE(has_line(text,
                         "error:\tmbind EPERM count=2 first=1970-01-01T00:00:00.000Z "
                         "last=1970-01-01T00:00:01.000Z"))
        << text;
}

TEST(Status, WithoutAPolicySaysSo) {
    ProcessFacts facts;
    const std::string text = status_text(facts);
    EXPECT_TRUE(has_line(text, "policy:\tnone")) << text;
    EXPECT_EQ(text.find("set_by"), std::string::npos) << text;
    EXPECT_EQ(text.find("effective"), std::string::npos) << text;
    facts.state.asked.readable = false;
    EXPECT_TRUE(has_line(status_text(facts), "policy:\tunreadable"));
}

TEST(Status, ListsThreadsWithAPolicyOfTheirOwn) {
    ProcessFacts facts;
    facts.threads.resize(2);
    facts.threads[0].tid = 50;
    facts.threads[1].tid = 51;
    facts.threads[1].scope = 3;
    facts.threads[1].asked = {true, true, interleave(1), {}, 5};
    facts.threads[1].applied = 4;
    const std::string text = status_text(facts);
    EXPECT_TRUE(has_line(text, "threads:\t2")) << text;
    EXPECT_TRUE(has_line(text, "thread:\t51 interleave:0 generation=5 applied=4 scope=3 errno=0"))
        << text;
    EXPECT_EQ(text.find("thread:\t50"), std::string::npos) << text;
    EXPECT_TRUE(has_line(text, "threads_behind:\t1")) << text;
}

TEST(Status, ANameCannotForgeALine) {
    ProcessFacts facts;
    facts.comm = "x\npolicy:\tlocal\\\x1b[2J";
    EXPECT_TRUE(has_line(status_text(facts), "name:\tx\\012policy:\\011local\\134\\033[2J"));
}

control::RegionState region(uint64_t start, uint64_t size, uint64_t carved, uint32_t scope,
                            int applied_errno = 0) {
    control::RegionState state;
    state.start = start;
    state.size = size;
    state.carved = carved;
    state.scope = scope;
    state.applied_errno = applied_errno;
    return state;
}

TEST(NumaMaps, CountsLinesInTheRegionTheyBeginIn) {
    ProcessFacts facts;
    facts.threads.resize(1);
    facts.threads[0].tid = 51;
    facts.threads[0].scope = 1;
    std::vector<RegionUse> uses =
        region_uses({region(0x3000, 0x1000, 0x800, 1), region(0x1000, 0x1000, 0x400, 0)});
    for (const char* line :
         {"fff default N0=9 kernelpagesize_kB=4",
          "1000 prefer (many):0-1 anon=3 N0=1 N1=2 kernelpagesize_kB=4",
          "1800 prefer (many):0-1 N1=1 kernelpagesize_kB=4",
          "2000 default N0=9 kernelpagesize_kB=4", "3000 bind:1 N1=7 kernelpagesize_kB=4",
          "4000 default N0=9 kernelpagesize_kB=4"}) {
        count_line(*control::parse_numa_maps_line(line), uses);
    }
    EXPECT_EQ(numa_maps_text(facts, uses),
              "1000 prefer (many):0-1 scope=process reserved=4096 carved=1024 N0=1 N1=3 "
              "kernelpagesize_kB=4\n"
              "3000 bind:1 scope=thread:51 reserved=4096 carved=2048 N1=7 kernelpagesize_kB=4\n");
}

TEST(NumaMaps, SaysWhatTheKernelMergedAndWhatFailed) {
    const ProcessFacts facts = facts_of(interleave(4), 1, 1);
    std::vector<RegionUse> uses =
        region_uses({region(0x1000, 0x1000, 0, 0), region(0x2000, 0x1000, 0, 9, ENOMEM)});
    count_line(*control::parse_numa_maps_line("1000 interleave:0-3 N0=1 kernelpagesize_kB=4"),
               uses);
    EXPECT_EQ(numa_maps_text(facts, uses),
              "1000 interleave:0-3 scope=process reserved=4096 carved=0 N0=1 "
              "kernelpagesize_kB=4\n"
              "2000 interleave:0-3 scope=ended reserved=4096 carved=0 errno=12 counted_above\n");
}

// Sizes and places are the target's to write.
TEST(NumaMaps, SurvivesNonsense) {
    std::vector<RegionUse> uses = region_uses(
        {region(UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT32_MAX), region(1, UINT64_MAX, 0, 0)});
    for (const char* line : {"0 default N0=1", "ffffffffffffffff default N0=1", "5 local"}) {
        count_line(*control::parse_numa_maps_line(line), uses);
    }
    EXPECT_FALSE(numa_maps_text({}, uses).empty());
    EXPECT_EQ(numa_maps_text({}, {}), "");
}

}  // namespace
}  // namespace mpol::fs

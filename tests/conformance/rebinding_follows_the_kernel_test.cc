// SPDX-License-Identifier: Apache-2.0
// A cpuset changes under two processes: one has its policy from the kernel, the other from mpol.
// Effective nodes, what get_mempolicy says, and where new pages fall must stay the same.
#include <gtest/gtest.h>
#include <linux/mempolicy.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <thread>

#include "calls.h"
#include "machine.h"
#include "policy/parse.h"
#include "policy/text.h"
#include "sides.h"
#include "workbench.h"

namespace mpol::test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kNoticedWithinMs = 100;
constexpr size_t kLargerThanARegion = size_t{1} << 30;

struct Step {
    const char* mems;
    const char* effective;  // as numa_maps prints it
    // What mpol reports as get_mempolicy's mask where the kernel has forgotten the user's: its two
    // masks share their memory (mm/mempolicy.c, union w).
    const char* reported = nullptr;
};

struct Story {
    const char* name;
    int mode_word;
    uint64_t nodes;
    const char* mems;
    std::vector<Step> steps;
};

const Story kStories[] = {
    {"interleave", 3, 0b0011, "0-1", {{"2-3", "interleave:2-3"}, {"0-1", "interleave:0-1"}}},
    {"interleave_static",
     3 | kStaticNodes,
     0b0011,
     "0-1",
     {{"2-3", "interleave=static:2-3"}, {"0-1", "interleave=static:0-1"}}},
    {"interleave_forgets",
     3,
     0b1101,
     "0-3",
     {{"1-3", "interleave:1,3"}, {"2", "interleave:2"}, {"0-3", "interleave:0"}}},
    {"interleave_static_returns",
     3 | kStaticNodes,
     0b1101,
     "0-3",
     {{"1-3", "interleave=static:2-3"},
      {"2", "interleave=static:2"},
      {"0-3", "interleave=static:0,2-3"}}},
    {"interleave_relative_returns",
     3 | kRelativeNodes,
     0b1101,
     "0-3",
     {{"1-3", "interleave=relative:1,3"},
      {"2", "interleave=relative:2"},
      {"0-3", "interleave=relative:0,2-3"}}},
    {"prefer", 1, 0b0001, "0-1", {{"2-3", "prefer:0"}}},
    {"prefer_static",
     1 | kStaticNodes,
     0b0001,
     "0-1",
     {{"2-3", "prefer=static:0", "0"}, {"0-1", "prefer=static:0", "0"}}},
    {"prefer_many_static",
     5 | kStaticNodes,
     0b0011,
     "0-1",
     {{"2-3", "prefer (many)=static:0-1", "0-1"}}},
    {"bind_balancing", 2 | kNumaBalancing, 0b0011, "0-1", {{"2-3", "bind=balancing:2-3", "0-1"}}},
    {"local", 4, 0, "0-1", {{"2-3", "local"}, {"0-3", "local"}}},

    {"bind", 2, 0b0010, "0-1", {{"2-3", "bind:3"}, {"0-1", "bind:1"}, {"1-3", "bind:2"}}},
    {"bind_static",
     2 | kStaticNodes,
     0b0110,
     "0-3",
     {{"2-3", "bind=static:2"}, {"0", "bind=static:0"}, {"1-2", "bind=static:1-2"}}},
    {"bind_relative",
     2 | kRelativeNodes,
     0b1110,
     "1-3",
     {{"0-1", "bind=relative:0-1"}, {"0-3", "bind=relative:1-3"}}},
};

std::ostream& operator<<(std::ostream& out, const Story& story) {
    return out << story.name;
}

Options in(const Cpuset& cpuset) {
    Options options;
    options.before_exec = [&cpuset] { cpuset.enter(); };
    return options;
}

mpol_policy policy_of(const Story& story) {
    mpol_policy policy{};
    policy.mode = story.mode_word & ~int{kModeFlags};
    policy.flags = static_cast<uint32_t>(story.mode_word) & kModeFlags;
    policy.home_node = MPOL_NO_NODE;
    policy.nodes[0] = story.nodes;
    return policy;
}

NodeMask parse_list(const char* text) {
    return parse_kernel_list(text, kMaxNodes).value();
}

std::string effective_text(const Story& story, const control::Target& target) {
    Policy policy;
    const mpol_policy asked = policy_of(story);
    policy.mode = static_cast<Mode>(asked.mode);
    policy.flags = static_cast<uint16_t>(asked.flags);
    policy.nodes = target.process().effective.value_or(NodeMask{});
    return policy_text(policy);
}

// Changes the cpuset, and returns how long the target then took to act on it, in ms.
double change(Cpuset& cpuset, const char* mems, const control::Target& target) {
    const uint64_t before = target.counter(MPOL_CTL_REBINDS);
    cpuset.set_mems(mems);
    const auto begin = Clock::now();
    EXPECT_TRUE(eventually([&] { return target.counter(MPOL_CTL_REBINDS) > before; })) << mems;
    EXPECT_EQ(target.process().allowed, parse_list(mems));
    return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

int write_process(pid_t pid, const mpol_policy& policy) {
    mpol_target* handle = nullptr;
    const int err = mpol_open(pid, MPOL_WRITE, &handle);
    if (err != 0) return err;
    const int result = mpol_write(handle, 0, &policy, kWaitMs);
    mpol_close(handle);
    return result;
}

std::string get_policy(pid_t tid) {
    TidCalls calls(tid);
    return make_call({.call = Call::kGet}, calls);
}
std::string kernels_get_policy(Grounded& process) {
    const std::string view = process.view(Grounded::kMain);
    return view.substr(0, view.find(' ', 5));
}

class Rebinding : public ::testing::TestWithParam<Story> {
  protected:
    void SetUp() override {
        for (const std::string& lack : {lacks_root(), lacks_four_nodes(), lacks_cpusets()}) {
            if (!lack.empty()) GTEST_SKIP() << lack;
        }
        // Both sides are on one processor, or a local page's node is where each happens to run.
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(0, &one);
        ASSERT_EQ(::sched_getaffinity(0, sizeof(before_), &before_), 0);
        ASSERT_EQ(::sched_setaffinity(0, sizeof(one), &one), 0);
        pinned_ = true;
    }
    void TearDown() override {
        if (pinned_) ::sched_setaffinity(0, sizeof(before_), &before_);
    }

  private:
    cpu_set_t before_{};
    bool pinned_ = false;
};

// The mask of "0xMODE:LIST" and of "0 mode 0xMODE nodes LIST in N words".
std::string list_of_view(const std::string& text) {
    return text.substr(text.find(':') + 1);
}
std::string list_of_call(const std::string& text) {
    const size_t begin = text.find("nodes ") + 6;
    return text.substr(begin, text.find(" in") - begin);
}

}  // namespace

TEST_P(Rebinding, FollowsTheKernel) {
    const Story& story = GetParam();
    Cpuset cpuset(story.mems);
    Grounded by_kernel(false, in(cpuset));
    Grounded by_mpol(true, in(cpuset));
    const pid_t pid = by_mpol.pid();
    ASSERT_EQ(by_kernel.set_policy(Grounded::kMain, story.mode_word, story.nodes), 0);
    ASSERT_EQ(write_process(pid, policy_of(story)), 0);
    const control::Target target = by_mpol.attach();
    const uint64_t heap_before = by_mpol.place_heap(Grounded::kMain).start;

    for (const Step& step : story.steps) {
        SCOPED_TRACE(std::string("mems ") + step.mems);
        change(cpuset, step.mems, target);
        EXPECT_EQ(task_policy(by_kernel.pid()), step.effective) << "the kernel itself";
        EXPECT_EQ(effective_text(story, target), step.effective);
        by_mpol.view(Grounded::kMain);
        EXPECT_EQ(task_policy(pid), step.effective);
        EXPECT_EQ(policy_at(pid, heap_before), step.effective);

        // Direct mappings fall page by page where the kernel puts its own; the heap on the same
        // nodes.
        const std::string pages = by_kernel.place_pages(Grounded::kMain);
        EXPECT_EQ(by_mpol.place_pages(Grounded::kMain), pages);
        const Grounded::HeapMemory heap = by_mpol.place_heap(Grounded::kMain);
        EXPECT_EQ(heap.nodes, by_kernel.place_heap(Grounded::kMain).nodes);
        EXPECT_EQ(policy_at(pid, heap.start), step.effective);

        const std::string kernels = list_of_view(kernels_get_policy(by_kernel));
        EXPECT_EQ(list_of_call(get_policy(pid)),
                  step.reported != nullptr ? step.reported : kernels);
    }
}

INSTANTIATE_TEST_SUITE_P(AllKinds, Rebinding, ::testing::ValuesIn(kStories),
                         [](const auto& with) { return std::string(with.param.name); });

TEST_F(Rebinding, RefusesAPolicyWithoutAllowedNodes) {
    const Story story{"", 2 | kStaticNodes, 0b1000, "0-1", {}};
    Cpuset cpuset(story.mems);
    Grounded by_kernel(false, in(cpuset));
    Grounded by_mpol(true, in(cpuset));
    EXPECT_EQ(by_kernel.set_policy(Grounded::kMain, story.mode_word, story.nodes), -EINVAL);
    EXPECT_EQ(write_process(by_mpol.pid(), policy_of(story)), -EINVAL);
    TidCalls calls(by_mpol.pid());
    EXPECT_EQ(calls.set(story.mode_word, &story.nodes, 65), -EINVAL);
}

TEST_F(Rebinding, FollowsTheKernelForAThreadsOwnPolicy) {
    Cpuset cpuset("0-3");
    Grounded by_kernel(false, in(cpuset));
    Grounded by_mpol(true, in(cpuset));
    const uint64_t nodes = 0b1101;
    TidCalls calls(by_mpol.tid(Grounded::kOther));
    ASSERT_EQ(by_kernel.set_policy(Grounded::kOther, MPOL_INTERLEAVE, nodes), 0);
    ASSERT_EQ(calls.set(MPOL_INTERLEAVE, &nodes, 65), 0);
    by_mpol.view(Grounded::kOther);
    const control::Target target = by_mpol.attach();
    for (const char* mems : {"1-3", "2", "0-3"}) {
        SCOPED_TRACE(mems);
        change(cpuset, mems, target);
        const std::string kernels = by_kernel.view(Grounded::kOther);
        const std::string task = kernels.substr(0, kernels.find(' ', 5));
        EXPECT_EQ(by_mpol.view(Grounded::kOther).substr(0, task.size() + 1), task + " ");
        EXPECT_EQ(list_of_call(get_policy(by_mpol.tid(Grounded::kOther))), list_of_view(task));
        EXPECT_EQ(by_mpol.place_pages(Grounded::kOther), by_kernel.place_pages(Grounded::kOther));
        EXPECT_EQ(by_mpol.place_heap(Grounded::kOther).nodes,
                  by_kernel.place_heap(Grounded::kOther).nodes);
    }
}

// Seen by what the next change costs: the same number of mbinds, one rebinding.
TEST_F(Rebinding, ToTheSameNodesIsANoOp) {
    Cpuset cpuset("0-1");
    Grounded by_mpol(true, in(cpuset));
    ASSERT_EQ(write_process(by_mpol.pid(), policy_of({"", MPOL_INTERLEAVE, 0b0011, "0-1", {}})), 0);
    by_mpol.place_heap(Grounded::kMain);
    const control::Target target = by_mpol.attach();
    const auto mbinds = [&] { return target.counter(MPOL_CTL_MBINDS); };
    const auto rebinds = [&] { return target.counter(MPOL_CTL_REBINDS); };

    const uint64_t mbinds_at_first = mbinds();
    change(cpuset, "2-3", target);
    ASSERT_TRUE(eventually([&] { return rebinds() == 1; }));
    const uint64_t one_change = mbinds() - mbinds_at_first;
    EXPECT_GT(one_change, 0U);
    for (int again = 0; again < 3; ++again) cpuset.set_mems("2-3");
    change(cpuset, "0-1", target);
    ASSERT_TRUE(eventually([&] { return rebinds() >= 2; }));
    EXPECT_EQ(rebinds(), 2U);
    EXPECT_EQ(mbinds() - mbinds_at_first, 2 * one_change);
    EXPECT_EQ(policy_at(by_mpol.pid(), by_mpol.place_heap(Grounded::kMain).start),
              "interleave:0-1");
}

// A thread that acts on the policy only after the cpuset has changed ends where the kernel would
// have taken it, had it been told at once.
TEST_F(Rebinding, ReachesThreadsThatActLater) {
    Cpuset cpuset("0-1");
    Workbench bench(in(cpuset));
    const unsigned late = bench.start_thread(Workbench::kMain);
    control::Target target = bench.attach();
    const uint64_t generation = set_process(target, make_policy(Mode::kInterleave, {0, 1}));
    bench.call(Workbench::kMain);
    ASSERT_TRUE(target.wait_process(generation, kWaitMs));
    change(cpuset, "2-3", target);
    bench.call(late);
    EXPECT_EQ(task_policy(bench.pid(), bench.tid(Workbench::kMain)), "interleave:2-3");
    EXPECT_EQ(task_policy(bench.pid(), bench.tid(late)), "interleave:2-3");
}

// The cpuset changes all the while, and once more when the child lives. The child is one thread,
// for which no helper is started unasked: the kernel's masks are right at once, and mpol's with
// them.
TEST_F(Rebinding, ForkedProcessEndsWithTheRightMask) {
    constexpr int kForks = 10;
    const char* const kEnd = "1-2";
    const char* const kRight = "interleave:1-2";
    Cpuset cpuset("0-1");
    Workbench bench(in(cpuset));
    control::Target parent = bench.attach();
    const uint64_t generation = set_process(parent, make_policy(Mode::kInterleave, {0, 1}));
    const uint64_t heap = bench.allocate(Workbench::kMain, 1 << 20);
    ASSERT_TRUE(parent.wait_process(generation, kWaitMs));
    for (int i = 0; i < kForks; ++i) {
        SCOPED_TRACE(i);
        std::atomic<bool> forked{false};
        std::thread changer([&] {
            for (bool other = false; !forked.load(); other = !other) {
                cpuset.set_mems(other ? "0-1" : "2-3");
            }
        });
        const pid_t child = bench.fork();
        bench.call();
        forked.store(true);
        changer.join();
        cpuset.set_mems(kEnd);

        EXPECT_EQ(task_policy(child), kRight);
        EXPECT_EQ(policy_at(child, heap), kRight);
        EXPECT_EQ(list_of_call(get_policy(child)), kEnd);
        // A region of its own, made under nodes that are not those of the fork.
        const uint64_t more = bench.allocate(Workbench::kMain, kLargerThanARegion);
        bench.call();
        EXPECT_TRUE(eventually([&] { return policy_at(child, more) == kRight; }));
        bench.start_thread(Workbench::kMain);
        const control::Target target = attach(child);
        EXPECT_TRUE(eventually([&] { return target.process().effective == parse_list(kEnd); }));
        bench.leave();
    }
}

TEST_F(Rebinding, BeginsWithinATenthOfASecond) {
    constexpr int kChanges = 21;
    Cpuset cpuset("0-1");
    Grounded by_mpol(true, in(cpuset));
    ASSERT_EQ(write_process(by_mpol.pid(), policy_of({"", MPOL_INTERLEAVE, 0b0011, "0-1", {}})), 0);
    const control::Target target = by_mpol.attach();
    std::vector<double> all_ms;
    for (int i = 0; i < kChanges; ++i) {
        all_ms.push_back(change(cpuset, i % 2 == 0 ? "2-3" : "0-1", target));
    }
    std::sort(all_ms.begin(), all_ms.end());
    const double median = all_ms[kChanges / 2];
    std::printf("%d changes noticed after %.1f ms at best, %.1f in the middle, %.1f at worst\n",
                kChanges, all_ms.front(), median, all_ms.back());
    EXPECT_LE(median, kNoticedWithinMs);
}

}  // namespace mpol::test

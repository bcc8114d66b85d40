// SPDX-License-Identifier: Apache-2.0
// A preloaded process dies, stops, or has a call fail at every fail point of making its segment,
// growing, applying, migrating and forking. Whoever reads from outside sees whole policies and
// never waits; what was stopped, or failed, goes on whole, and takes one more rewrite; a child that
// dies takes nothing of its parent with it, and one that lives has its parent's policy.
//
// A failure prints which strike it was: MPOL_FAIL_POINTS=segment-create:3:die runs that one alone.
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <thread>

#include "chaos.h"
#include "fail_board.h"

namespace mpol::test {
namespace {

constexpr size_t kBlock = 4 << 20;
constexpr size_t kLargeFrom = 1 << 19;
// Two don't fit into one region.
constexpr size_t kHuge = size_t{700} << 20;
// Of a child: it has no segment of its own, and has another policy than its parent.
constexpr int kNoSegment = 10;
constexpr int kLost = 11;
// A segment that is not there yet may come with the next allocation.
constexpr int kStoppedReads = 100;

void* write_block(size_t size) {
    void* const block = volatile_malloc(size);
    if (block != nullptr) std::memset(block, 0x5a, size);
    return block;
}

bool is_whole(const void* block, size_t size) {
    const auto* const bytes = static_cast<const unsigned char*>(block);
    for (size_t i = 0; block != nullptr && i < size; ++i) {
        if (bytes[i] != 0x5a) return false;
    }
    return block != nullptr;
}

bool grow() {
    void* const first = volatile_malloc(kHuge);
    void* const second = volatile_malloc(kHuge);
    for (void* const memory : {first, second}) {
        if (memory != nullptr) static_cast<volatile char*>(memory)[kHuge - 1] = 1;
    }
    const bool both = first != nullptr && second != nullptr;
    std::free(first);
    std::free(second);
    return both;
}

int in_child(unsigned wanted) {
    call_allocator();
    const auto self = control::Target::attach(::getpid(), control::Access::kRead);
    if (!self) return kNoSegment;
    return number_of(self->process().asked) == wanted ? 0 : kLost;
}

int fork_once(unsigned wanted) {
    const pid_t child = ::fork();
    if (child < 0) return 128;
    if (child == 0) ::_exit(in_child(wanted));
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

// Commands: a second thread, growth, a child with ('F') or without ('f') policy 1, the end.
SUBJECT(lives_everywhere) {
    void* const block = write_block(kBlock);
    std::atomic<bool> thread_whole{false};
    std::optional<std::thread> thread;
    say("ready");
    for (char command = await_command(); command != 'e'; command = await_command()) {
        call_allocator();
        if (command == 't') {
            thread.emplace([&] {
                void* const own = write_block(kBlock / 2);
                thread_whole = is_whole(own, kBlock / 2);
                std::free(own);
            });
            thread->join();
        }
        if (command == 'g' && !grow()) return 3;
        if (command == 'f' || command == 'F') {
            say("child %d", fork_once(command == 'F' ? 1 : 0));
        } else {
            say("done");
        }
        if (command == '\0') return 4;
    }
    say(is_whole(block, kBlock) && thread_whole ? "whole" : "broken");
    await_command();
    return 0;
}

namespace {

struct Seen {
    int child = 0;
    bool whole = false;
    bool took_last = true;  // where there was a segment
    int status = -1;
};

bool migrate(control::Target& target) {
    const auto migration = target.start_migration({}, kWaitMs);
    if (!migration) return true;
    for (const auto phase : {control::MigrationPhase::kAsked, control::MigrationPhase::kRunning}) {
        if (!target.wait_migration(*migration, phase, kWaitMs)) return false;
    }
    return true;
}

// Publishes, and has it applied. What can't be attached to follows nobody.
bool rewrite(const Subject& subject, unsigned number) {
    auto target = control::Target::attach(subject.pid(), control::Access::kWrite);
    if (!target) return true;
    const auto& policy = chaos_policies()[number];
    (void)target->publish_kind({MPOL_CTL_KIND_LARGE, kLargeFrom}, policy, false, kWaitMs);
    const auto generation = target->publish_process(policy, kWaitMs);
    return generation && target->wait_process(*generation, kWaitMs) &&
           number_of(target->process().asked) == number;
}

bool has_ended(pid_t pid) {
    siginfo_t info{};
    return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == pid;
}

// The life of a subject; throws where it says nothing more.
void live(Subject& subject, Seen& seen) {
    subject.hear("ready");
    subject.ask('t', "done");
    EXPECT_TRUE(rewrite(subject, 1) || has_ended(subject.pid()));
    subject.ask('t', "done");
    subject.ask('g', "done");
    auto target = control::Target::attach(subject.pid(), control::Access::kWrite);
    EXPECT_TRUE(!target || migrate(*target) || has_ended(subject.pid()));
    subject.tell(target ? 'F' : 'f');
    seen.child = static_cast<int>(subject.hear_number("child"));
    seen.took_last = rewrite(subject, 2);
    subject.tell('e');
    seen.whole = subject.hear() == "whole";
}

bool is_stopped(pid_t pid) {
    std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
    std::string text;
    std::getline(stat, text);
    const size_t at = text.rfind(')');
    return at != std::string::npos && at + 2 < text.size() && text[at + 2] == 'T';
}

// Waits for the one that stops, looks at it from outside, and lets it go on.
void attend_to(const Board& board, const std::atomic<bool>& over) {
    while (board.struck() == 0 || !is_stopped(board.struck())) {
        if (over) return;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    const pid_t pid = board.struck();
    for (int i = 0; i < kStoppedReads; ++i) {
        const auto target = control::Target::attach(pid, control::Access::kRead);
        if (!target) break;
        EXPECT_TRUE(number_of(target->process().asked)) << "a torn read";
        for (const auto& thread : target->threads()) {
            EXPECT_TRUE(number_of(thread.asked)) << "a torn read";
        }
    }
    ::kill(pid, SIGCONT);
}

void expect_right(const Seen& seen, const Strike& strike, const Board& board, pid_t pid) {
    const bool died = strike.deed == sys::kDie && board.struck() == pid;
    EXPECT_EQ(seen.status, died ? 128 + SIGKILL : 0);
    if (died) return;
    EXPECT_TRUE(seen.whole);
    EXPECT_TRUE(seen.took_last);
    const bool child_died = strike.deed == sys::kDie && board.struck() != 0;
    const bool segment_failed = strike.fails_a_call() && strike.at.text.starts_with("segment-");
    if (child_died) {
        EXPECT_EQ(seen.child, 128 + SIGKILL);
    } else if (seen.child != 0) {
        EXPECT_TRUE(segment_failed && seen.child == kNoSegment) << seen.child;
    }
}

bool live_under(Board& board, const Strike* strike) {
    strike == nullptr ? board.clear() : board.arm(*strike);
    Subject subject("lives_everywhere", {.environment = {board.setting()}});
    const pid_t pid = subject.pid();
    std::atomic<bool> over{false};
    std::thread attendant([&] {
        if (strike != nullptr && strike->deed == sys::kStop) attend_to(board, over);
    });
    Seen seen;
    try {
        live(subject, seen);
    } catch (const std::runtime_error& gone) {
        if (std::string(gone.what()).find("in time") != std::string::npos) {
            ADD_FAILURE() << "it hangs";
            tell_stacks(pid);
        }
    }
    seen.status = subject.finish();
    over = true;
    attendant.join();
    if (strike != nullptr) expect_right(seen, *strike, board, pid);
    EXPECT_TRUE(strike != nullptr || (seen.whole && seen.child == 0 && seen.status == 0));
    return board.struck() != 0;
}

bool is_of_mover(const PointName& point) {
    return point.text == "migrate-move" || point.text == "migrate-moved";
}

void end_anywhere(const std::vector<PointName>& points) {
    if (points.empty()) GTEST_SKIP() << "MPOL_FAIL_POINTS names a point that is not passed here";
    Board board;
    live_under(board, nullptr);
    for (const PointName& point : points) {
        EXPECT_GT(board.hits(point.point), 0U) << point.text << " was not passed";
    }
    try_all(strikes_at(points, board),
            [&](const Strike& strike) { return live_under(board, &strike); });
}

// What the subject touches before it has a policy is then not on the policies' node 0.
bool leave_node_0() {
    const auto last_cpu = static_cast<size_t>(::sysconf(_SC_NPROCESSORS_ONLN)) - 1;
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(last_cpu, &cpus);
    unsigned cpu = 0;
    unsigned node = 0;
    return ::sched_setaffinity(0, sizeof(cpus), &cpus) == 0 && ::getcpu(&cpu, &node) == 0 &&
           node != 0;
}

}  // namespace

TEST(FailPoints, TargetEndsAnywhere) {
    auto points =
        fail_points_of({"segment", "slot", "region", "apply", "migrate", "fork", "latch"});
    std::erase_if(points, is_of_mover);
    end_anywhere(points);
}

TEST(FailPoints, MoverEndsAnywhere) {
    if (!leave_node_0()) GTEST_SKIP() << "there is nothing to move on a machine of one node";
    auto points = fail_points_of({"migrate"});
    std::erase_if(points, [](const PointName& point) { return !is_of_mover(point); });
    end_anywhere(points);
}

}  // namespace mpol::test

// SPDX-License-Identifier: Apache-2.0
// A writer dies, stops, or has a call fail at every fail point of attaching and publishing. Readers
// see whole policies all the while and never wait; the target goes on; the next writer works, and
// what it publishes comes into force.
//
// A failure prints which strike it was: MPOL_FAIL_POINTS=publish-row:1:ENOSPC runs that one alone.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <thread>

#include "chaos.h"
#include "fail_board.h"
#include "sys/sys.h"

namespace mpol::test {
namespace {

constexpr size_t kBlock = 1 << 20;
constexpr size_t kLargeFrom = 1 << 19;
// While a stopped writer holds the lock, others are told so after this.
constexpr int kBusyMs = 20;
constexpr uint64_t kReadsWhileStopped = 100;

const std::optional<Policy>& policy(size_t number) {
    return chaos_policies()[number];
}

}  // namespace

// Says after each command that its memory is as it was written.
SUBJECT(obeys_writers) {
    void* const block = volatile_malloc(kBlock);
    std::memset(block, 0x5a, kBlock);
    say("ready");
    while (await_command() == 'g') {
        call_allocator();
        bool whole = true;
        for (size_t i = 0; i < kBlock; ++i) whole &= static_cast<char*>(block)[i] == 0x5a;
        say(whole ? "whole" : "broken");
    }
    return 0;
}

// Argument: whom. Makes each kind of publication; one that is refused is none.
SUBJECT(writes_everything) {
    const pid_t pid = std::stoi(subject_arguments[0]);
    auto target = control::Target::attach(pid, control::Access::kWrite);
    if (!target) return 0;
    (void)target->hold({}, *policy(2), kWaitMs);
    (void)target->publish_process(policy(1), kWaitMs);
    (void)target->publish_thread(0, policy(3), kWaitMs);
    (void)target->publish_own_kind(0, {MPOL_CTL_KIND_LARGE, kLargeFrom}, policy(4), kWaitMs);
    (void)target->publish_kind({MPOL_CTL_KIND_LARGE, kLargeFrom}, policy(1), false, kWaitMs);
    (void)target->publish_everywhere(policy(5), kWaitMs);
    return 0;
}

namespace {

// Reads all the while that it lives.
class Reader {
  public:
    explicit Reader(pid_t pid) : target_(attach(pid)), thread_([this] { read(); }) {}
    ~Reader() {
        over_ = true;
        thread_.join();
        EXPECT_EQ(torn_, 0U);
    }
    // Whether it reads on.
    bool goes_on() {
        const uint64_t before = reads_;
        return eventually([&] { return reads_ >= before + kReadsWhileStopped; });
    }

  private:
    void judge(const control::Published& read) {
        ++reads_;
        if (!number_of(read)) ++torn_;
    }
    void read() {
        while (!over_) {
            judge(target_.process().asked);
            for (const control::ThreadState& thread : target_.threads()) {
                judge(thread.asked);
                if (thread.large()) judge(thread.large()->asked);
            }
            for (const control::KindState& kind : target_.kinds()) judge(kind.asked);
            sys::yield();
        }
    }

    control::Target target_;
    std::atomic<bool> over_{false};
    std::atomic<uint64_t> reads_{0};
    std::atomic<uint64_t> torn_{0};
    std::thread thread_;
};

// 0 running or ended, else stopped.
bool wait_for_stop(pid_t pid) {
    siginfo_t info{};
    return ::waitid(P_PID, static_cast<id_t>(pid), &info, WSTOPPED | WEXITED | WNOWAIT) == 0 &&
           info.si_code == CLD_STOPPED;
}

// A writer that stopped in the middle: others read, are told whose turn it is, and it goes on.
void while_stopped(pid_t writer, Subject& subject, Reader& reader) {
    EXPECT_TRUE(reader.goes_on());
    EXPECT_EQ(subject.ask('g', "whole"), "");
    control::Target other = subject.attach();
    const auto refused = other.publish_process(policy(3), kBusyMs);
    if (!refused) {
        EXPECT_EQ(refused.error().err, EBUSY) << refused.error().what;
    }
    ::kill(writer, SIGCONT);
}

void next_writer_works(Subject& subject) {
    control::Target next = subject.attach();
    const auto slot = next.slot_of(subject.pid());
    ASSERT_TRUE(slot);
    const auto process = next.publish_process(policy(1), kWaitMs);
    ASSERT_TRUE(process) << process.error().what;
    const auto thread = next.publish_thread(*slot, policy(4), kWaitMs);
    ASSERT_TRUE(thread) << thread.error().what;
    EXPECT_EQ(subject.ask('g', "whole"), "");
    EXPECT_TRUE(next.wait_process(*process, kWaitMs));
    EXPECT_TRUE(next.wait_thread(*slot, *thread, kWaitMs));
    EXPECT_EQ(number_of(next.process().asked), 1U);
    EXPECT_EQ(number_of(next.thread(*slot)->asked), 4U);
}

// Whether it struck.
bool write_under(Board& board, const Strike* strike) {
    Subject subject("obeys_writers");
    subject.hear("ready");
    Reader reader(subject.pid());
    strike == nullptr ? board.clear() : board.arm(*strike);
    Subject writer("writes_everything", {.arguments = {std::to_string(subject.pid())},
                                         .environment = {board.setting()},
                                         .preload = false});
    const bool stops = strike != nullptr && strike->deed == sys::kStop;
    const bool dies = strike != nullptr && strike->deed == sys::kDie;
    if (stops && wait_for_stop(writer.pid())) while_stopped(writer.pid(), subject, reader);
    const int status = writer.finish();
    const bool struck = board.struck() != 0;
    EXPECT_EQ(status, dies && struck ? 128 + SIGKILL : 0);
    EXPECT_TRUE(reader.goes_on());
    next_writer_works(subject);
    EXPECT_EQ(subject.finish(), 0);
    return struck;
}

}  // namespace

TEST(FailPoints, WriterEndsAnywhere) {
    const auto points = fail_points_of({"attach", "publish", "latch"});
    if (points.empty()) GTEST_SKIP() << "MPOL_FAIL_POINTS names a point that no writer passes";
    Board board;
    write_under(board, nullptr);
    for (const PointName& point : points) {
        EXPECT_GT(board.hits(point.point), 0U) << point.text << " was not passed";
    }
    try_all(strikes_at(points, board),
            [&](const Strike& strike) { return write_under(board, &strike); });
}

}  // namespace mpol::test

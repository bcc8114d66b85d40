// SPDX-License-Identifier: Apache-2.0
// Others can write a process's segment as soon as its file has a header, and a thread's slot as
// soon as it is open, while who has made it is not through: what they ask for then is new, and is
// bound like anything later.
#include <gtest/gtest.h>
#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <thread>

#include "chaos.h"
#include "fail_board.h"

namespace mpol::test {
namespace {

constexpr size_t kBlock = 1 << 20;
constexpr unsigned kMainThread = 1;  // whose pass it is
constexpr unsigned kThread = 2;

void tell_mode_of(void* block) {
    int mode = -1;
    ::syscall(SYS_get_mempolicy, &mode, nullptr, 0, static_cast<char*>(block) + kBlock / 2,
              MPOL_F_ADDR);
    say("mode %d", mode);
}

void tell_mode_of_heap() {
    tell_mode_of(volatile_malloc(kBlock));
}

bool await_stop(pid_t pid) {
    siginfo_t info{};
    return ::waitid(P_PID, static_cast<id_t>(pid), &info, WSTOPPED | WEXITED | WNOWAIT) == 0 &&
           info.si_code == CLD_STOPPED;
}

// The subject, stopped there.
class Newborn {
  public:
    Newborn(const char* name, const PointName& point, unsigned pass) {
        board_.arm({point, pass, sys::kStop});
        subject_.emplace(name, Options{.environment = {board_.setting()}});
        EXPECT_TRUE(await_stop(subject_->pid()));
    }
    [[nodiscard]] Subject& subject() { return *subject_; }

    uint64_t mode_once_it_goes_on() {
        ::kill(subject_->pid(), SIGCONT);
        return subject_->hear_number("mode");
    }

  private:
    Board board_;
    std::optional<Subject> subject_;
};

// Empty where MPOL_FAIL_POINTS names another one.
std::optional<PointName> find(const std::string& text) {
    for (const PointName& point : fail_points_of({text.substr(0, text.find('-'))})) {
        if (point.text == text) return point;
    }
    return std::nullopt;
}

}  // namespace

SUBJECT(tells_the_mode_of_its_heap) {
    tell_mode_of_heap();
    return 0;
}

SUBJECT(tells_the_mode_of_a_threads_heap) {
    std::thread([] { tell_mode_of_heap(); }).join();
    return 0;
}

SUBJECT(forks_a_child_that_tells_its_modes) {
    void* const block = volatile_malloc(kBlock);
    say("ready");
    await_command();
    call_allocator();  // Its helper runs from here on, and applies what is asked.
    void* const mapping = ::mmap(nullptr, kBlock, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    await_command();
    const pid_t child = ::fork();
    if (child == 0) {
        call_allocator();
        tell_mode_of(block);
        tell_mode_of(mapping);
        ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, WUNTRACED);
    say("child %d", WIFSTOPPED(status) ? child : -1);
    await_command();
    ::waitpid(child, &status, 0);
    return WEXITSTATUS(status);
}

// Its thread begins with its own policy, which is that of the main thread.
SUBJECT(tells_the_mode_of_an_heir) {
    say("ready");
    await_command();
    call_allocator();
    std::thread([] {
        await_command();
        tell_mode_of_heap();
    }).join();
    return 0;
}

class Birth : public testing::TestWithParam<const char*> {};

TEST_P(Birth, OfAProcessTakesWhatIsAsked) {
    const auto point = find(GetParam());
    if (!point) GTEST_SKIP() << "MPOL_FAIL_POINTS names another point";
    Newborn newborn("tells_the_mode_of_its_heap", *point, kMainThread);
    control::Target target = newborn.subject().attach();
    set_process(target, bind_to({0}));
    EXPECT_EQ(newborn.mode_once_it_goes_on(), static_cast<uint64_t>(MPOL_BIND));
}

INSTANTIATE_TEST_SUITE_P(FailPoints, Birth, testing::Values("segment-map", "segment-made"));

TEST(FailPoints, BirthOfAThreadTakesWhatIsAsked) {
    const auto point = find("slot-opened");
    if (!point) GTEST_SKIP() << "MPOL_FAIL_POINTS names another point";
    Newborn newborn("tells_the_mode_of_a_threads_heap", *point, kThread);
    control::Target target = newborn.subject().attach();
    const auto threads = target.threads();
    ASSERT_EQ(threads.size(), 2U);
    set_thread(target, threads.back().tid, bind_to({0}));
    EXPECT_EQ(newborn.mode_once_it_goes_on(), static_cast<uint64_t>(MPOL_BIND));
}

class BirthOfAnHeir : public testing::TestWithParam<const char*> {};

// All threads' own policies are taken away while one starts that was to begin with its creator's.
TEST_P(BirthOfAnHeir, LeavesItNothingThatWasTakenFromAll) {
    const auto point = find(GetParam());
    if (!point) GTEST_SKIP() << "MPOL_FAIL_POINTS names another point";
    Board board;
    board.arm({*point, kThread, sys::kStop});
    Subject subject("tells_the_mode_of_an_heir", {.environment = {board.setting()}});
    subject.hear("ready");
    control::Target target = subject.attach();
    set_thread(target, subject.pid(), bind_to({0}));
    subject.tell('t');
    ASSERT_TRUE(await_stop(subject.pid()));
    const auto asked = target.publish_everywhere(make_policy(Mode::kInterleave, {0}), kWaitMs);
    ::kill(subject.pid(), SIGCONT);
    ASSERT_TRUE(asked && target.wait_process(*asked, kWaitMs));
    subject.tell('m');
    EXPECT_EQ(subject.hear_number("mode"), static_cast<uint64_t>(MPOL_INTERLEAVE));
    EXPECT_EQ(subject.finish(), 0);
}

// What a daemon has set is undone while a thread starts that was to begin with it.
void expect_undone_for_heir(const char* point_name, const std::optional<Policy>& before,
                            unsigned mode) {
    const auto point = find(point_name);
    if (!point) GTEST_SKIP() << "MPOL_FAIL_POINTS names another point";
    Board board;
    board.arm({*point, kThread, sys::kStop});
    Subject subject("tells_the_mode_of_an_heir", {.environment = {board.setting()}});
    subject.hear("ready");
    control::Target target = subject.attach();
    if (before) set_thread(target, subject.pid(), *before);
    const auto slot = target.slot_of(subject.pid());
    ASSERT_TRUE(slot && target.hold(*slot, bind_to({0}), kWaitMs));
    subject.tell('t');
    ASSERT_TRUE(await_stop(subject.pid()));
    const auto undone = target.undo(kWaitMs);
    ::kill(subject.pid(), SIGCONT);
    ASSERT_TRUE(undone.has_value());
    subject.tell('m');
    EXPECT_EQ(subject.hear_number("mode"), mode);
    EXPECT_EQ(subject.finish(), 0);
}

TEST_P(BirthOfAnHeir, LeavesItWhatItsCreatorHadBeforeADaemon) {
    expect_undone_for_heir(GetParam(), make_policy(Mode::kInterleave, {0}), MPOL_INTERLEAVE);
}

TEST_P(BirthOfAnHeir, LeavesItNothingOfADaemonWhereItsCreatorHadNothing) {
    expect_undone_for_heir(GetParam(), std::nullopt, MPOL_DEFAULT);
}

INSTANTIATE_TEST_SUITE_P(FailPoints, BirthOfAnHeir, testing::Values("slot-open", "slot-opened"));

// The child's memory is bound to what a daemon has set; its parent's is undone before the child has
// a segment of its own.
void expect_undone_for_child(const std::optional<Policy>& before, unsigned mode) {
    const auto point = find("fork-legacy");
    if (!point) GTEST_SKIP() << "MPOL_FAIL_POINTS names another point";
    Board board;
    board.arm({*point, 1, sys::kStop});
    Subject parent("forks_a_child_that_tells_its_modes", {.environment = {board.setting()}});
    parent.hear("ready");
    control::Target target = parent.attach();
    if (before) set_process(target, *before);
    const auto held = target.hold({}, bind_to({0}), kWaitMs);
    parent.tell('a');
    ASSERT_TRUE(held && target.wait_process(*held, kWaitMs));
    const auto child = static_cast<pid_t>(std::stoi(parent.ask('f', "child")));
    ASSERT_GT(child, 0);
    ASSERT_TRUE(target.undo(kWaitMs).has_value());
    ::kill(child, SIGCONT);
    EXPECT_EQ(parent.hear_number("mode"), mode);
    EXPECT_EQ(parent.hear_number("mode"), static_cast<uint64_t>(MPOL_DEFAULT));
    parent.tell('e');
    EXPECT_EQ(parent.finish(), 0);
}

TEST(FailPoints, BirthOfAChildLeavesItWhatItsParentHadBeforeADaemon) {
    expect_undone_for_child(make_policy(Mode::kInterleave, {0}), MPOL_INTERLEAVE);
}

TEST(FailPoints, BirthOfAChildLeavesItNothingOfADaemonWhereItsParentHadNothing) {
    expect_undone_for_child(std::nullopt, MPOL_DEFAULT);
}

// What its parent's memory is asked for, before the fork and after it, in its own segment.
void expect_asked_after_fork(const std::optional<Policy>& before,
                             const std::optional<Policy>& since, unsigned mode) {
    const auto point = find("fork-child");
    if (!point) GTEST_SKIP() << "MPOL_FAIL_POINTS names another point";
    Board board;
    board.arm({*point, 1, sys::kStop});
    Subject parent("forks_a_child_that_tells_its_modes", {.environment = {board.setting()}});
    parent.hear("ready");
    control::Target target = parent.attach();
    // The heap, and the mapping that the thread places as its own.
    const auto ask_for = [&](const std::optional<Policy>& policy) {
        const auto slot = target.slot_of(parent.pid());
        EXPECT_TRUE(slot &&
                    target.publish_own_kind(*slot, {MPOL_CTL_KIND_MMAP, 0}, policy, kWaitMs));
        return set_process(target, policy);
    };
    const auto at_first = ask_for(before);
    parent.tell('a');
    ASSERT_TRUE(target.wait_process(at_first, kWaitMs));
    const auto child = static_cast<pid_t>(std::stoi(parent.ask('f', "child")));
    ASSERT_GT(child, 0);
    ASSERT_TRUE(target.wait_process(ask_for(since), kWaitMs));
    ::kill(child, SIGCONT);
    EXPECT_EQ(parent.hear_number("mode"), mode);
    EXPECT_EQ(parent.hear_number("mode"), mode);
    parent.tell('e');
    EXPECT_EQ(parent.finish(), 0);
}

TEST(FailPoints, BirthOfAChildTakesWhatItsParentWasAskedSince) {
    expect_asked_after_fork(bind_to({0}), make_policy(Mode::kInterleave, {0}), MPOL_INTERLEAVE);
}

TEST(FailPoints, BirthOfAChildGivesUpWhatItsParentGaveUpSince) {
    expect_asked_after_fork(bind_to({0}), std::nullopt, MPOL_DEFAULT);
}

}  // namespace mpol::test

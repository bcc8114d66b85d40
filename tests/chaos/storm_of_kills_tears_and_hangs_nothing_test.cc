// SPDX-License-Identifier: Apache-2.0
// Processes allocate in several threads, fork and execute themselves while others rewrite their
// policies; processes and writers are killed at random and started again. Every policy that is read
// is one that somebody wrote; what lives at the end still works, and takes one more rewrite.
//
//   MPOL_CHAOS_KILLS=10000 MPOL_CHAOS_PROCESSES=200: the long form.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <thread>

#include "chaos.h"

extern char** environ;

namespace mpol::test {
namespace {

constexpr unsigned kKills = 300;
constexpr unsigned kProcesses = 20;
constexpr unsigned kWriters = 3;
constexpr unsigned kProcessesMax = 1024;
constexpr unsigned kWorkers = 2;
constexpr int kSteps = 100;
// Between two steps of a thread, for each process that there is: however many they are, all of them
// together leave the machine some time for who watches them.
constexpr auto kPausePerProcess = std::chrono::milliseconds(5);
constexpr int kPausesToFork = 3;  // which costs more
constexpr int kNiceness = 10;
// Children before an exec.
constexpr uint64_t kGenerationsToExec = 10;
// Looked at after each kill; at the end all of them are.
constexpr unsigned kReadPerKill = 20;

// How far each thread of each process has come.
struct Board {
    struct Row {
        std::atomic<uint64_t> worked[kWorkers];
        std::atomic<uint64_t> forked;
        std::atomic<uint64_t> executed;
        std::atomic<pid_t> pid;
    };
    Row rows[kProcessesMax];
    std::atomic<uint64_t> published;  // by all writers
};

Board& board_at(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    void* const at = ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) ::_exit(9);
    ::close(fd);
    return *static_cast<Board*>(at);
}

void allocate_at_random(std::minstd_rand& random) {
    void* held[32] = {};
    for (int i = 0; i < kSteps; ++i) {
        void*& place = held[random() % 32];
        std::free(place);
        const size_t size = random() % 64 == 0 ? random() % 3'000'000 : random() % 5000;
        place = volatile_malloc(size + 1);
        if (place != nullptr) static_cast<char*>(place)[size] = 1;
    }
    for (void* memory : held) std::free(memory);
}

[[noreturn]] void work_on(std::atomic<uint64_t>& worked, unsigned seed,
                          std::chrono::milliseconds pause) {
    std::minstd_rand random(seed);
    for (;;) {
        allocate_at_random(random);
        ++worked;
        std::this_thread::sleep_for(pause);
    }
}

bool fork_once(std::minstd_rand& random) {
    const pid_t child = ::fork();
    if (child == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        allocate_at_random(random);
        ::_exit(0);
    }
    int status = -1;
    while (child > 0 && ::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return status == 0;
}

// Or, on a machine that is busy, whoever kills them hardly ever has its turn.
void come_after_the_watcher() {
    ::setpriority(PRIO_PROCESS, 0, kNiceness);
}

void execute_again() {
    std::vector<const char*> argv = {"storm", "--subject", "in_the_storm"};
    for (const std::string& argument : subject_arguments) argv.push_back(argument.c_str());
    argv.push_back(nullptr);
    ::execve("/proc/self/exe", const_cast<char**>(argv.data()), environ);
    ::_exit(8);
}

}  // namespace

// Arguments: the board's path, its row there, how many there are. Ends with 7 when a child did not
// end well.
SUBJECT(in_the_storm) {
    Board::Row& row = board_at(subject_arguments[0]).rows[std::stoul(subject_arguments[1])];
    row.pid = ::getpid();
    ++row.executed;
    const auto pause = std::stoi(subject_arguments[2]) * kPausePerProcess;
    const auto seed =
        static_cast<unsigned>(::getpid()) + static_cast<unsigned>(row.executed.load());
    for (unsigned i = 0; i < kWorkers; ++i) {
        std::thread([&row, i, seed, pause] { work_on(row.worked[i], seed + i, pause); }).detach();
    }
    std::minstd_rand random(seed + kWorkers);
    for (uint64_t generation = 0; generation < kGenerationsToExec; ++generation) {
        if (!fork_once(random)) return 7;
        ++row.forked;
        std::this_thread::sleep_for(kPausesToFork * pause);
    }
    execute_again();
    return 0;
}

namespace {

// A process of its own, so that it can be killed between any two instructions.
[[noreturn]] void write_for_ever(Board& board, unsigned processes, unsigned seed) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    std::minstd_rand random(seed);
    for (;;) {
        const pid_t pid = board.rows[random() % processes].pid;
        auto target = pid > 0 ? control::Target::attach(pid, control::Access::kWrite)
                              : tl::unexpected(control::Failure{});
        if (!target) continue;
        for (int i = 0; i < 50; ++i) {
            const auto& policy = chaos_policies()[random() % chaos_policies().size()];
            if (target->publish_process(policy, kWaitMs)) ++board.published;
            const auto threads = target->threads();
            std::this_thread::sleep_for(std::chrono::microseconds(100));
            if (threads.empty()) break;
            const control::ThreadState& one = threads[random() % threads.size()];
            (void)target->publish_thread({one.slot, one.tid}, policy, kWaitMs);
        }
    }
}

class Storm {
  public:
    Storm(uint64_t seed, unsigned processes)
        : random_(seed),
          path_("/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(memory_)),
          subjects_(processes) {
        EXPECT_EQ(::ftruncate(memory_, sizeof(Board)), 0);
        board_ = &board_at(path_);
        for (unsigned i = 0; i < processes; ++i) start_process(i);
        for (unsigned i = 0; i < kWriters; ++i) start_writer(i);
    }
    ~Storm() {
        for (const pid_t writer : writers_) end(writer);
        ::close(memory_);
    }

    // One process or writer, and another in its place.
    void kill_one() {
        if (random_() % 4 == 0) {
            const auto which = static_cast<unsigned>(random_() % writers_.size());
            end(writers_[which]);
            start_writer(which);
        } else {
            start_process(static_cast<unsigned>(random_() % subjects_.size()));
        }
    }

    // Reads what some have, one after the other; what nobody wrote is torn.
    unsigned torn_reads(size_t count, uint64_t& reads) {
        unsigned torn = 0;
        for (size_t i = 0; i < std::min(count, subjects_.size()); ++i) {
            const pid_t pid = board_->rows[next_read_++ % subjects_.size()].pid;
            auto target = control::Target::attach(pid, control::Access::kRead);
            if (!target) continue;  // It is between exec and its first allocation.
            ++reads;
            if (!number_of(target->process().asked)) ++torn;
            for (const control::ThreadState& thread : target->threads()) {
                ++reads;
                if (!number_of(thread.asked)) ++torn;
            }
        }
        return torn;
    }

    void stop_writers() {
        for (const pid_t writer : writers_) end(writer);
        writers_.clear();
    }

    // Whether every thread of every process goes on; tells where the others are.
    bool all_go_on() {
        std::vector<Progress> before;
        for (unsigned i = 0; i < subjects_.size(); ++i) before.push_back(progress_of(i));
        bool good = true;
        for (unsigned i = 0; i < subjects_.size(); ++i) {
            const bool goes_on = eventually([&] { return progress_of(i).is_beyond(before[i]); });
            if (!goes_on) tell_stacks(board_->rows[i].pid);
            good = good && goes_on;
        }
        return good;
    }

    // Of the last rewrite: how many have it in force. An exec in between loses it, as it should.
    unsigned take_one_more_rewrite() {
        unsigned took = 0;
        for (unsigned i = 0; i < subjects_.size(); ++i) {
            const bool good = eventually([&] {
                auto target = control::Target::attach(board_->rows[i].pid, control::Access::kWrite);
                if (!target) return false;
                const auto generation = target->publish_process(bind_to({0}), kWaitMs);
                return generation && target->wait_process(*generation, 1000) &&
                       number_of(target->process().asked) == 1U;
            });
            if (good)
                ++took;
            else
                tell_stacks(board_->rows[i].pid);
        }
        return took;
    }

    [[nodiscard]] const Board& board() const { return *board_; }
    std::mt19937_64& random() { return random_; }

  private:
    struct Progress {
        uint64_t executed;
        uint64_t forked;
        uint64_t worked[kWorkers];

        [[nodiscard]] bool is_beyond(const Progress& before) const {
            if (executed != before.executed) return true;  // It has left them all behind.
            for (unsigned i = 0; i < kWorkers; ++i) {
                if (worked[i] == before.worked[i]) return false;
            }
            return forked != before.forked;
        }
    };

    [[nodiscard]] Progress progress_of(unsigned row) const {
        const Board::Row& at = board_->rows[row];
        Progress now{at.executed, at.forked, {}};
        for (unsigned i = 0; i < kWorkers; ++i) now.worked[i] = at.worked[i];
        return now;
    }

    void start_process(unsigned row) {
        subjects_[row].reset();
        board_->rows[row].pid = 0;
        subjects_[row] = std::make_unique<Subject>(
            "in_the_storm",
            Options{.arguments = {path_, std::to_string(row), std::to_string(subjects_.size())},
                    .before_exec = come_after_the_watcher});
    }

    void start_writer(unsigned which) {
        if (writers_.size() <= which) writers_.resize(which + 1);
        const auto seed = static_cast<unsigned>(random_());
        writers_[which] = ::fork();
        const auto processes = static_cast<unsigned>(subjects_.size());
        if (writers_[which] == 0) write_for_ever(*board_, processes, seed);
    }

    static void end(pid_t pid) {
        ::kill(pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
    }

    std::mt19937_64 random_;
    int memory_ = ::memfd_create("board", 0);
    std::string path_;
    Board* board_ = nullptr;
    std::vector<std::unique_ptr<Subject>> subjects_;
    size_t next_read_ = 0;
    std::vector<pid_t> writers_;
};

}  // namespace

TEST(Chaos, StormOfKillsTearsAndHangsNothing) {
    const unsigned kills = number_from_environment("MPOL_CHAOS_KILLS", kKills);
    const unsigned processes =
        std::clamp(number_from_environment("MPOL_CHAOS_PROCESSES", kProcesses), 1U, kProcessesMax);
    Storm storm(announced_seed(), processes);
    uint64_t reads = 0;
    unsigned torn = 0;
    for (unsigned i = 0; i < kills; ++i) {
        std::this_thread::sleep_for(std::chrono::microseconds(storm.random()() % 20'000));
        storm.kill_one();
        torn += storm.torn_reads(kReadPerKill, reads);
    }
    storm.stop_writers();
    torn += storm.torn_reads(processes, reads);
    EXPECT_EQ(torn, 0U);
    EXPECT_TRUE(storm.all_go_on());
    EXPECT_EQ(storm.take_one_more_rewrite(), processes);
    EXPECT_GT(storm.board().published, 0U);
    uint64_t forked = 0;
    uint64_t executed = 0;
    for (const Board::Row& row : storm.board().rows) {
        forked += row.forked;
        executed += row.executed;
    }
    std::cout << kills << " kills, " << processes << " processes, " << storm.board().published
              << " rewrites, " << reads << " reads, " << torn << " torn, " << forked << " forks, "
              << executed << " executions\n";
}

}  // namespace mpol::test

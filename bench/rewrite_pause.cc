// SPDX-License-Identifier: Apache-2.0
// How long a rewrite keeps a thread from its next allocation. A thread allocates and releases in a
// loop and notes its longest step; every other round its process's policy is rewritten meanwhile.
// In the quiet rounds the writer does the very same to a bystander, so that both rounds see a
// machine that is equally busy. There are twice as many quiet rounds: what their second half is to
// the first ("noise") is what the machine makes of a ratio that is 1.
//
// What strangers do to the thread is left out, so that its longest step in some minutes is its own:
//  - A step in which the kernel took the thread's processor for somebody else is none. (The helper
//    has another processor. A thread that waits, for a lock or a page, gives its own away.)
//  - "pause" is a step's time on the wall where the thread waited for something, else the time
//    that it had a processor: what a virtual machine's host has taken meanwhile is in "wall" only,
//    as far as the host tells.
//
// What it does not tell makes the longest step of some repetition, quiet or not, milliseconds: the
// figure is the median of the repetitions, each with 1,000 rewrites.
#include <benchmark/benchmark.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "child.h"

namespace mpol::bench {
namespace {

constexpr int kRounds = 50;  // of each kind, in a repetition
constexpr int kRewritesPerRound = 20;
constexpr long kRewriteEveryNs = 1'000'000;

constexpr size_t kReservedBlocks = 16;  // of 1 GiB, never touched: what a rewrite has to bind
constexpr size_t kLive = 4'096;
constexpr unsigned kMagnitudes = 12;  // 16 B to 64 KiB, log-uniform

uint64_t now_ns(clockid_t clock) {
    timespec now{};
    ::clock_gettime(clock, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

// Of the calling thread: how often it gave its processor away, and how often that was taken.
struct Switches {
    long waits;
    long taken;
};

Switches switches() {
    rusage usage{};
    ::getrusage(RUSAGE_THREAD, &usage);
    return {usage.ru_nvcsw, usage.ru_nivcsw};
}

// The longest steps of a round.
struct Pauses {
    uint64_t pause_ns;
    uint64_t wall_ns;
    uint64_t processor_ns;
    uint64_t steps;
    uint64_t taken;  // steps in which the processor was
};

// --- The allocating process: 'b' begins a round, the next command ends it.

bool command_waits() {
    fd_set in;
    FD_ZERO(&in);
    FD_SET(STDIN_FILENO, &in);
    timeval none{};
    return ::select(STDIN_FILENO + 1, &in, nullptr, nullptr, &none) > 0;
}

struct Heap {
    std::vector<void*> live = std::vector<void*>(kLive);
    std::minstd_rand random{1};

    Heap() {
        for (size_t i = 0; i < kReservedBlocks; ++i) {
            void* block = std::malloc(size_t{1} << 30);
            benchmark::DoNotOptimize(block);
        }
        for (size_t i = 0; i < 20 * kLive; ++i) step();
    }
    void step() {
        void*& place = live[random() % kLive];
        std::free(place);
        const size_t size = size_t{16} << (random() % kMagnitudes);
        place = std::malloc(size);
        if (place == nullptr) ::_exit(1);
        *static_cast<volatile char*>(place) = 1;
    }
};

Pauses run_round(Heap& heap) {
    // Looking for a command is a system call of its own and outside of the steps.
    constexpr int kStepsBetweenLooks = 1'000;
    Pauses pauses{};
    Switches before = switches();
    do {
        for (int i = 0; i < kStepsBetweenLooks; ++i) {
            const uint64_t wall = now_ns(CLOCK_MONOTONIC);
            const uint64_t processor = now_ns(CLOCK_THREAD_CPUTIME_ID);
            heap.step();
            const uint64_t processor_ns = now_ns(CLOCK_THREAD_CPUTIME_ID) - processor;
            const uint64_t wall_ns = now_ns(CLOCK_MONOTONIC) - wall;
            const Switches now = switches();
            const bool waited = now.waits != before.waits;
            const bool taken = now.taken != before.taken;
            before = now;
            ++pauses.steps;
            pauses.taken += taken;
            if (taken) continue;
            pauses.pause_ns = std::max(pauses.pause_ns, waited ? wall_ns : processor_ns);
            pauses.processor_ns = std::max(pauses.processor_ns, processor_ns);
            pauses.wall_ns = std::max(pauses.wall_ns, wall_ns);
        }
    } while (!command_waits());
    return pauses;
}

int allocate_until_end() {
    Heap heap;
    say('r');
    while (await_command() == 'b') {
        const Pauses pauses = run_round(heap);
        await_command();
        say(pauses);
    }
    return 0;
}

// --- The writer

Pauses round_while(Child& allocator, control::Target& rewritten) {
    allocator.tell('b');
    for (int i = 0; i < kRewritesPerRound; ++i) {
        const Mode mode = i % 2 == 0 ? Mode::kBind : Mode::kInterleave;
        if (!rewritten.publish_process(policy_on_node_0(mode), 1000)) fail("can't publish");
        sleep_ns(kRewriteEveryNs);
    }
    allocator.tell('e');
    Pauses pauses{};
    if (!allocator.hear(pauses)) fail("the allocating process has gone");
    return pauses;
}

// Of the benchmark as it was started.
const cpu_set_t& processors() {
    static const cpu_set_t all = [] {
        cpu_set_t now;
        if (::sched_getaffinity(0, sizeof(now), &now) != 0) fail("sched_getaffinity");
        return now;
    }();
    return all;
}

std::vector<pid_t> tasks(pid_t pid) {
    std::vector<pid_t> tids;
    for (const auto& task :
         std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task")) {
        tids.push_back(std::stoi(task.path().filename().string()));
    }
    return tids;
}

void run_on(pid_t tid, const cpu_set_t& wanted) {
    if (::sched_setaffinity(tid, sizeof(wanted), &wanted) != 0) fail("sched_setaffinity");
}

// Else the longest pause is how long the scheduler lets another thread run. Not done where there is
// one processor only.
void give_own_processor(pid_t tid) {
    const cpu_set_t& all = processors();
    if (CPU_COUNT(&all) < 2) return;
    int first = 0;
    while (!CPU_ISSET(first, &all)) ++first;
    cpu_set_t own;
    CPU_ZERO(&own);
    CPU_SET(first, &own);
    cpu_set_t others = all;
    CPU_CLR(first, &others);
    run_on(0, others);
    for (const pid_t thread : tasks(tid)) run_on(thread, thread == tid ? own : others);
}

// The lowest of a process, which is the helper's where that may hurry (heap/hurry.h).
int lowest_nice(pid_t pid) {
    int nice = 0;
    for (const pid_t thread : tasks(pid)) {
        nice = std::min(nice, ::getpriority(PRIO_PROCESS, static_cast<id_t>(thread)));
    }
    return nice;
}

using Clock = uint64_t Pauses::*;

double quantile_us(const std::vector<Pauses>& rounds, Clock clock, double quantile) {
    std::vector<uint64_t> longest_ns;
    for (const Pauses& round : rounds) longest_ns.push_back(round.*clock);
    std::sort(longest_ns.begin(), longest_ns.end());
    const auto last = static_cast<double>(longest_ns.size() - 1);
    return static_cast<double>(longest_ns[static_cast<size_t>(quantile * last)]) / 1000;
}

void report(benchmark::State& state, const std::string& name, double without, double with,
            double without_again) {
    state.counters[name + "_us_without"] = without;
    state.counters[name + "_us_with"] = with;
    state.counters[name + "_ratio"] = with / without;
    state.counters[name + "_noise"] = without_again / without;
}

// Pages that the kernel can give without asking a virtual machine's host, more than the rounds fault.
// A host takes free memory back in blocks of 2 MiB (free page reporting), and gives it again at the
// first touch of each page, which takes tens of microseconds that no counter of the guest's shows.
// Where every second page is held, what is free never becomes such a block.
class SinglePages {
   public:
    SinglePages() {
        if (start_ == MAP_FAILED) fail("can't reserve single pages");
        ::madvise(start_, kBytes, MADV_NOHUGEPAGE);
        std::memset(start_, 1, kBytes);
        for (size_t at = 0; at < kBytes; at += 2 * kPage) {
            ::madvise(static_cast<char*>(start_) + at, kPage, MADV_DONTNEED);
        }
    }
    ~SinglePages() { ::munmap(start_, kBytes); }
    SinglePages(const SinglePages&) = delete;
    SinglePages& operator=(const SinglePages&) = delete;

   private:
    static constexpr size_t kPage = 4096;
    static constexpr size_t kBytes = size_t{256} << 20;
    void* start_ = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
};

void longest_pause(benchmark::State& state) {
    const SinglePages single_pages;
    run_on(0, processors());  // The allocators make arenas for as many as they see.
    Child allocator("--allocate");
    Child bystander("--allocate");
    control::Target rewritten = allocator.attach();
    control::Target decoy = bystander.attach();
    std::vector<Pauses> quiet;
    std::vector<Pauses> busy;
    std::vector<Pauses> quiet_again;
    round_while(allocator, rewritten);  // The first policy starts the helper thread.
    give_own_processor(allocator.pid());
    const uint64_t before = rewritten.counter(MPOL_CTL_APPLIED);
    for (auto _ : state) {
        quiet.push_back(round_while(allocator, decoy));
        busy.push_back(round_while(allocator, rewritten));
        quiet_again.push_back(round_while(allocator, decoy));
    }
    state.counters["helper_nice"] = lowest_nice(allocator.pid());
    state.counters["rewrites"] = kRewritesPerRound * kRounds;
    state.counters["applied"] = static_cast<double>(rewritten.counter(MPOL_CTL_APPLIED) - before);
    uint64_t steps = 0;
    uint64_t taken = 0;
    for (const auto* rounds : {&quiet, &busy, &quiet_again}) {
        for (const Pauses& round : *rounds) {
            steps += round.steps;
            taken += round.taken;
        }
    }
    state.counters["steps"] = static_cast<double>(steps);
    state.counters["steps_left_out"] = static_cast<double>(taken);
    for (const auto& [name, clock] :
         {std::pair{"pause", &Pauses::pause_ns}, std::pair{"wall", &Pauses::wall_ns},
          std::pair{"processor", &Pauses::processor_ns}}) {
        for (const auto& [rank, quantile] :
             {std::pair{"_median", 0.5}, std::pair{"_longest", 1.0}}) {
            report(state, std::string(name) + rank, quantile_us(quiet, clock, quantile),
                   quantile_us(busy, clock, quantile), quantile_us(quiet_again, clock, quantile));
        }
    }
}
BENCHMARK(longest_pause)->Iterations(kRounds)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace mpol::bench

int main(int argc, char** argv) {
    if (argc == 2 && std::strcmp(argv[1], "--allocate") == 0) {
        return mpol::bench::allocate_until_end();
    }
    std::string repetitions = "--benchmark_repetitions=15";  // where the command line has none
    std::vector<char*> arguments(argv, argv + argc);
    arguments.insert(arguments.begin() + 1, repetitions.data());
    argc = static_cast<int>(arguments.size());
    argv = arguments.data();
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}

// SPDX-License-Identifier: Apache-2.0
// How long a migration keeps a thread from its next allocation, and how fast it moves. A thread
// allocates, writes to memory that was there before, and releases, in a loop, and notes its longest
// step; every other round all of its memory is moved to the other node meanwhile. Needs two memory
// nodes: with one it says so and exits with 77.
#include <benchmark/benchmark.h>
#include <sys/select.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <random>
#include <vector>

#include "child.h"
#include "task/machine.h"

namespace mpol::bench {
namespace {

constexpr int kRounds = 20;  // of each kind
constexpr size_t kMemory = size_t{256} << 20;
constexpr size_t kPage = 4096;
constexpr int kSkipped = 77;
constexpr int kStepMs = 10'000;

uint64_t now_ns() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

// --- The allocating process: 'b' begins a round, the next command ends it.

bool command_waits() {
    fd_set in;
    FD_ZERO(&in);
    FD_SET(STDIN_FILENO, &in);
    timeval none{};
    return ::select(STDIN_FILENO + 1, &in, nullptr, nullptr, &none) > 0;
}

uint64_t longest_step_ns(std::vector<char>& memory, std::minstd_rand& random) {
    constexpr int kStepsBetweenLooks = 1'000;
    uint64_t longest = 0;
    do {
        for (int i = 0; i < kStepsBetweenLooks; ++i) {
            const uint64_t begin = now_ns();
            auto* const object = static_cast<volatile char*>(std::malloc(64 + random() % kPage));
            if (object == nullptr) ::_exit(1);
            object[0] = 1;
            memory[random() % kMemory] = 1;
            std::free(const_cast<char*>(object));
            longest = std::max(longest, now_ns() - begin);
        }
    } while (!command_waits());
    return longest;
}

int allocate_until_end() {
    std::vector<char> memory(kMemory, 1);
    std::minstd_rand random(1);
    say('r');
    while (await_command() == 'b') {
        const uint64_t longest = longest_step_ns(memory, random);
        await_command();
        say(longest);
    }
    return 0;
}

// --- The mover

void publish_bind(control::Target& target, unsigned node) {
    Policy policy;
    policy.mode = Mode::kBind;
    policy.nodes.set(node);
    const auto generation = target.publish_process(policy, kStepMs);
    if (!generation || !target.wait_process(*generation, kStepMs)) fail("can't rewrite");
}

control::MigrationState move_all(control::Target& target) {
    const auto generation = target.start_migration({}, kStepMs);
    if (!generation) fail("can't migrate");
    for (;;) {
        const control::MigrationState state = target.migration();
        if (control::has_ended(state.phase)) return state;
        (void)target.wait_migration(*generation, state.phase, kStepMs);
    }
}

uint64_t round_of(Child& allocator, control::Target& target, bool migrate,
                  control::MigrationState& ret_state) {
    allocator.tell('b');
    if (migrate) {
        ret_state = move_all(target);
    } else {
        sleep_ns(100'000'000);
    }
    allocator.tell('e');
    uint64_t longest = 0;
    if (!allocator.hear(longest)) fail("the allocating process has gone");
    return longest;
}

double median_us(std::vector<uint64_t> all) {
    std::sort(all.begin(), all.end());
    return static_cast<double>(all[all.size() / 2]) / 1000;
}

void longest_pause(benchmark::State& state, unsigned one, unsigned other) {
    Child allocator("--allocate");
    control::Target target = allocator.attach();
    std::vector<uint64_t> quiet;
    std::vector<uint64_t> busy;
    control::MigrationState moved;
    uint64_t longest_batch_ns = 0;
    double mib_per_second = 0;
    bool turn = false;
    for (auto _ : state) {
        publish_bind(target, (turn = !turn) ? one : other);
        quiet.push_back(round_of(allocator, target, false, moved));
        busy.push_back(round_of(allocator, target, true, moved));
        longest_batch_ns = std::max(longest_batch_ns, moved.longest_batch_ns);
        mib_per_second = static_cast<double>(moved.moved >> 20) * 1e9 /
                         static_cast<double>(std::max<uint64_t>(moved.elapsed_ns, 1));
    }
    state.counters["median_us_without"] = median_us(quiet);
    state.counters["median_us_with"] = median_us(busy);
    state.counters["longest_us_without"] =
        static_cast<double>(*std::max_element(quiet.begin(), quiet.end())) / 1000;
    state.counters["longest_us_with"] =
        static_cast<double>(*std::max_element(busy.begin(), busy.end())) / 1000;
    state.counters["longest_batch_us"] = static_cast<double>(longest_batch_ns) / 1000;
    state.counters["mib_per_second"] = mib_per_second;
}

}  // namespace
}  // namespace mpol::bench

int main(int argc, char** argv) {
    using namespace mpol::bench;
    if (argc == 2 && std::strcmp(argv[1], "--allocate") == 0) return allocate_until_end();
    const mpol::NodeMask nodes = mpol::task::node_list("has_memory");
    if (nodes.weight() < 2) {
        std::fputs("skipped: a migration needs two memory nodes, and this machine has one\n",
                   stderr);
        return kSkipped;
    }
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
    benchmark::RegisterBenchmark("longest_pause", longest_pause, nodes.first(),
                                 nodes.next(nodes.first() + 1))
        ->Iterations(kRounds)
        ->Unit(benchmark::kMillisecond);
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}

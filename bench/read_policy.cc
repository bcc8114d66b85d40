// SPDX-License-Identifier: Apache-2.0
// What it costs to read another process's policy, beside what the kernel asks for one's own.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <array>
#include <cstring>
#include <string>

#include "child.h"
#include "control/words.h"

namespace mpol::bench {
namespace {

// Blocked, with a policy on the process and one on its only thread.
struct Subject {
    Child child{"--wait"};
    control::Target target{child.attach()};

    Subject() {
        const Policy policy = policy_on_node_0(Mode::kBind);
        if (!target.publish_process(policy, 1000) || !target.publish_thread(0, policy, 1000)) {
            fail("can't publish");
        }
    }
};

Subject& subject() {
    static Subject only;
    return only;
}

// The segment as Target maps it, for a read of nothing but the policy.
mpol_ctl& segment() {
    const std::string directory = "/proc/" + std::to_string(subject().child.pid()) + "/fd/";
    for (int number = 0; number < 65'536; ++number) {
        const std::string path = directory + std::to_string(number);
        std::array<char, 64> link{};
        if (::readlink(path.c_str(), link.data(), link.size() - 1) < 0 ||
            std::strstr(link.data(), MPOL_CTL_NAME) == nullptr) {
            continue;
        }
        const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
        void* at = ::mmap(nullptr, sizeof(mpol_ctl), PROT_READ, MAP_SHARED, fd, 0);
        ::close(fd);
        if (at != MAP_FAILED) return *static_cast<mpol_ctl*>(at);
    }
    fail("the child has no segment");
}

void policy_of_process(benchmark::State& state) {
    mpol_ctl& mapped = segment();
    for (auto _ : state) {
        control::PolicyWords words;
        uint64_t word = 0;
        Policy policy;
        control::Origin origin;
        const bool read = control::latch_read(control::process_latch(mapped), words.words, word) &&
                          control::decode(words, policy, origin);
        if (!read || policy.mode != Mode::kBind) fail("the policy is not there");
        benchmark::DoNotOptimize(policy);
    }
}
BENCHMARK(policy_of_process);

void state_of_process(benchmark::State& state) {
    for (auto _ : state) benchmark::DoNotOptimize(subject().target.process());
}
BENCHMARK(state_of_process);

void state_of_thread(benchmark::State& state) {
    for (auto _ : state) benchmark::DoNotOptimize(subject().target.thread(0));
}
BENCHMARK(state_of_thread);

void kernel_get_mempolicy_of_self(benchmark::State& state) {
    int mode = 0;
    NodeMask nodes;
    for (auto _ : state) {
        if (::syscall(SYS_get_mempolicy, &mode, nodes.words, kMaxNodes + 1, nullptr, 0) != 0) {
            state.SkipWithError("get_mempolicy is refused");
            break;
        }
        benchmark::DoNotOptimize(nodes);
    }
}
BENCHMARK(kernel_get_mempolicy_of_self);

// The kernel's one view of another process's policy: its mappings, effective nodes only. The first
// buffer of it, which shows the task policy.
void kernel_numa_maps_of_another(benchmark::State& state) {
    const std::string path = "/proc/" + std::to_string(subject().child.pid()) + "/numa_maps";
    std::array<char, 4096> text{};
    for (auto _ : state) {
        const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
        const ssize_t got = ::read(fd, text.data(), text.size());
        ::close(fd);
        if (got <= 0) {
            state.SkipWithError("no numa_maps");
            break;
        }
        benchmark::DoNotOptimize(text);
    }
}
BENCHMARK(kernel_numa_maps_of_another);

int wait_for_end() {
    say('r');
    await_command();
    return 0;
}

}  // namespace
}  // namespace mpol::bench

int main(int argc, char** argv) {
    if (argc == 2 && std::strcmp(argv[1], "--wait") == 0) return mpol::bench::wait_for_end();
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}

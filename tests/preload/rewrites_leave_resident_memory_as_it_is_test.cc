// SPDX-License-Identifier: Apache-2.0
// A busy process that is rewritten 1,000 times is no larger than one that never was. Both run at the
// same time and do the same.
#include <gtest/gtest.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>
#include <thread>
#include <vector>

#include "subject.h"

namespace mpol::test {
namespace {

constexpr int kRewrites = 1'000;
constexpr int kThreads = 3;
constexpr size_t kLive = 8'192;      // objects of each thread
constexpr unsigned kMagnitudes = 9;  // 32 B to 16 KiB, log-uniform
constexpr int kSamples = 41;
constexpr double kRatioMax = 1.10;

void* allocate_for_ever(void* opaque) {
    std::minstd_rand random(static_cast<unsigned>(reinterpret_cast<uintptr_t>(opaque)) + 1);
    static thread_local void* live[kLive];
    for (;;) {
        void*& place = live[random() % kLive];
        std::free(place);
        const size_t size = size_t{32} << (random() % kMagnitudes);
        place = volatile_malloc(size + random() % size);
        if (place == nullptr) ::_exit(2);
        touch(place, size);
    }
}

long resident_kib(const Subject& subject) {
    long pages = 0;
    std::string total;
    std::ifstream("/proc/" + std::to_string(subject.pid()) + "/statm") >> total >> pages;
    return pages * 4;
}

void pause_ms(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

long median(std::vector<long> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

}  // namespace

SUBJECT(busy) {
    for (uintptr_t i = 0; i < kThreads; ++i) {
        pthread_t thread;
        if (pthread_create(&thread, nullptr, allocate_for_ever, reinterpret_cast<void*>(i)) != 0) {
            return 1;
        }
    }
    say("ready");
    await_command();
    ::_exit(0);
}

TEST(Rewrites, LeaveResidentMemoryAsItIs) {
    Subject rewritten("busy");
    Subject quiet("busy");
    for (Subject* subject : {&rewritten, &quiet}) subject->hear("ready");
    control::Target target = rewritten.attach();
    pause_ms(1'000);
    for (int i = 0; i < kRewrites; ++i) {
        set_process(target, make_policy(i % 2 == 0 ? Mode::kBind : Mode::kInterleave, {0}));
        pause_ms(2);
    }
    const uint64_t generation = set_process(target, bind_to({0}));
    EXPECT_TRUE(target.wait_process(generation, kWaitMs));
    std::vector<long> of_rewritten;
    std::vector<long> of_quiet;
    for (int i = 0; i < kSamples; ++i) {
        pause_ms(50);
        of_rewritten.push_back(resident_kib(rewritten));
        of_quiet.push_back(resident_kib(quiet));
    }
    const double ratio =
        static_cast<double>(median(of_rewritten)) / static_cast<double>(median(of_quiet));
    std::printf("resident: %ld KiB after %d rewrites (%lu applied), %ld KiB without: %.3f\n",
                median(of_rewritten), kRewrites + 1, target.counter(MPOL_CTL_APPLIED),
                median(of_quiet), ratio);
    EXPECT_LE(ratio, kRatioMax);
}

}  // namespace mpol::test

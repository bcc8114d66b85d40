// SPDX-License-Identifier: Apache-2.0
// A busy process that is rewritten 1,000 times is as large as one that never was. Both run at the
// same time and do the same. Each rewrite gives free memory back, so right after the last one the
// process is smaller; that figure is bounded above, and the one of both at rest on both sides.
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
constexpr int kSamples = 41;         // of a look, two seconds
// The two are at rest when a look differs from the one before by no more than this.
constexpr double kRest = 0.01;
constexpr int kLooksMax = 20;
constexpr double kRatioMin = 0.90;
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

void pause_ms(int ms) {
    std::this_thread::sleep_for(std::chrono::milliseconds(ms));
}

long median(std::vector<long> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

struct Look {
    long rewritten = 0;  // medians, KiB
    long quiet = 0;

    [[nodiscard]] double ratio() const {
        return static_cast<double>(rewritten) / static_cast<double>(quiet);
    }
    [[nodiscard]] bool near(const Look& before) const {
        const auto same = [](long now, long then) {
            return std::abs(now - then) <= static_cast<long>(kRest * static_cast<double>(then));
        };
        return same(rewritten, before.rewritten) && same(quiet, before.quiet);
    }
};

Look look(const Subject& rewritten, const Subject& quiet) {
    std::vector<long> of_rewritten;
    std::vector<long> of_quiet;
    for (int i = 0; i < kSamples; ++i) {
        pause_ms(50);
        of_rewritten.push_back(resident_kib(rewritten));
        of_quiet.push_back(resident_kib(quiet));
    }
    return {median(of_rewritten), median(of_quiet)};
}

void print(const char* when, const Look& now) {
    std::printf("%s: resident %ld KiB of the rewritten one, %ld KiB of the other: %.3f\n", when,
                now.rewritten, now.quiet, now.ratio());
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

namespace {

// A busy process that has been rewritten, each time when the rewrite before was in force, and
// another.
struct Pair {
    Subject rewritten{"busy"};
    Subject quiet{"busy"};

    explicit Pair(bool keep_cached) {
        for (Subject* subject : {&rewritten, &quiet}) subject->hear("ready");
        control::Target target = rewritten.attach();
        target.set_keep_cached(keep_cached);
        pause_ms(1'000);
        for (int i = 0; i < kRewrites; ++i) {
            const uint64_t generation =
                set_process(target, make_policy(i % 2 == 0 ? Mode::kBind : Mode::kInterleave, {0}));
            EXPECT_TRUE(target.wait_process(generation, kWaitMs));
        }
        std::printf("%d rewrites, %lu applied\n", kRewrites, target.counter(MPOL_CTL_APPLIED));
    }

    [[nodiscard]] Look look() const { return test::look(rewritten, quiet); }
    [[nodiscard]] Look look_at_rest(Look now) const {
        Look before;
        for (int i = 0; i < kLooksMax && !now.near(before); ++i) {
            before = now;
            now = look();
        }
        EXPECT_TRUE(now.near(before)) << "never at rest";
        return now;
    }
};

}  // namespace

TEST(Rewrites, LeaveResidentMemoryAsItIs) {
    const Pair pair(false);
    const Look soon = pair.look();
    print("right after them", soon);
    EXPECT_LE(soon.ratio(), kRatioMax);
    const Look rest = pair.look_at_rest(soon);
    print("at rest", rest);
    EXPECT_GE(rest.ratio(), kRatioMin);
    EXPECT_LE(rest.ratio(), kRatioMax);
}

TEST(Rewrites, LeaveItAsItIsAtOnceWhereTheyKeepWhatIsCached) {
    const Look soon = Pair(true).look();
    print("right after rewrites that keep what is cached", soon);
    EXPECT_GE(soon.ratio(), kRatioMin);
    EXPECT_LE(soon.ratio(), kRatioMax);
}

}  // namespace mpol::test

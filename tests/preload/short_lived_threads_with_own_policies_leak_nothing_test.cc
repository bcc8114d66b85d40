// SPDX-License-Identifier: Apache-2.0
// Threads that inherit a policy of their own, live for a few allocations, and free what others
// allocated: the process is as large after many of them as after a few.
//
// MPOL_SHORT_LIVED_THREADS says how many; the aim is stated for 1,000,000.
#include <gtest/gtest.h>
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "subject.h"

namespace mpol::test {
namespace {

constexpr const char* kThreads = "10000";
constexpr int kFirst = 500;  // until everything has its size
constexpr int kAtOnce = 4;
constexpr int kObjects = 40;
constexpr long kSigns = 50;  // lines said on the way

// Noise of the caches, far below what one page for each thread would come to.
constexpr long kResidentKibMax = 2'048;
constexpr long kMappingsMax = 8;

std::atomic<void*> left_behind[kAtOnce * kObjects];

void* live_shortly(void* opaque) {
    const auto number = reinterpret_cast<size_t>(opaque);
    for (size_t i = 0; i < kObjects; ++i) {
        void* const memory = volatile_malloc(1 + (number * 7 + i * 131) % 3'000);
        *static_cast<volatile char*>(memory) = 1;
        // Of another thread of this round or the last, or of the creator.
        std::free(left_behind[(number + i * 4) % (kAtOnce * kObjects)].exchange(memory));
    }
    return nullptr;
}

bool run_threads(long count) {
    for (long done = 0; done < count; done += kAtOnce) {
        pthread_t threads[kAtOnce];
        for (size_t i = 0; i < kAtOnce; ++i) {
            if (pthread_create(&threads[i], nullptr, live_shortly, reinterpret_cast<void*>(i)) !=
                0) {
                return false;
            }
        }
        for (const pthread_t thread : threads) pthread_join(thread, nullptr);
    }
    return true;
}

struct Size {
    long resident_kib = 0;
    long mappings = 0;
    long descriptors = 0;
    uint64_t scopes = 0;
    uint64_t slots = 0;
    uint64_t reserved = 0;
};

Size size_of(const Subject& subject) {
    const std::string proc = "/proc/" + std::to_string(subject.pid());
    const control::Target target = subject.attach();
    Size size;
    std::string text;
    std::ifstream statm(proc + "/statm");
    statm >> text >> size.resident_kib;
    size.resident_kib *= 4;
    for (std::ifstream maps(proc + "/maps"); std::getline(maps, text);) ++size.mappings;
    for (const auto& entry : std::filesystem::directory_iterator(proc + "/fd")) {
        size.descriptors += !entry.path().empty();
    }
    size.scopes = target.counter(MPOL_CTL_SCOPES);
    size.reserved = target.counter(MPOL_CTL_RESERVED_BYTES);
    size.slots = header_of(segment_bytes(subject.pid())).header.slots_used;
    return size;
}

void print(const char* when, const Size& size) {
    std::printf("%s: %ld KiB resident, %ld mappings, %ld descriptors, %lu scopes, %lu slots\n",
                when, size.resident_kib, size.mappings, size.descriptors, size.scopes, size.slots);
}

}  // namespace

SUBJECT(short_lived_threads_with_policies) {
    const long count = std::atol(subject_arguments.at(0).c_str());
    say("ready");
    await_command();
    call_allocator();
    if (!run_threads(kFirst)) return 1;
    say("first");
    await_command();
    for (long sign = 0; sign < kSigns; ++sign) {
        if (!run_threads(count / kSigns)) return 1;
        say("sign");
    }
    await_command();
    return 0;
}

TEST(ShortLivedThreads, WithOwnPoliciesLeakNothing) {
    const char* const asked = std::getenv("MPOL_SHORT_LIVED_THREADS");
    Options options;
    options.arguments = {asked != nullptr ? asked : kThreads};
    Subject subject("short_lived_threads_with_policies", options);
    subject.hear("ready");
    {
        control::Target target = subject.attach();
        set_thread(target, subject.pid(), bind_to({0}));
    }
    subject.ask('g', "first");
    const Size before = size_of(subject);
    subject.tell('g');
    for (long sign = 0; sign < kSigns; ++sign) subject.hear("sign");
    const Size after = size_of(subject);
    std::printf("%s threads\n", options.arguments[0].c_str());
    print("before", before);
    print("after", after);
    // One scope for the creator, and as many as there were threads at once; libc's last steps of
    // one thread may overlap with the next ones' first.
    EXPECT_LE(after.scopes, 2U * kAtOnce + 1);
    EXPECT_LE(after.slots, 2U * kAtOnce + 1);
    EXPECT_EQ(after.descriptors, before.descriptors);
    EXPECT_LE(after.mappings, before.mappings + kMappingsMax);
    EXPECT_LE(after.resident_kib, before.resident_kib + kResidentKibMax);
    EXPECT_LE(after.reserved,
              before.reserved + (after.scopes - before.scopes) * (uint64_t{1} << 30));
    EXPECT_EQ(subject.finish(), 0);
}

}  // namespace mpol::test

// SPDX-License-Identifier: Apache-2.0
// What the program maps, and the stacks of its threads, are told as policy changes with both ends
// when a kind governs them: the process's, and a thread's own.
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "errand.h"
#include "mpol/notifier.h"
#include "subject.h"

namespace mpol::test {
namespace {

struct Range {
    std::atomic<uintptr_t> start;
    std::atomic<size_t> size;
    std::atomic<bool> ended;
};
constexpr unsigned kRangesMax = 256;
Range ranges[kRangesMax];
std::atomic<unsigned> range_count{0};
thread_local constinit Range* begun = nullptr;

void on_start(void*, mpol_event event, void* start, size_t size) {
    const unsigned at = event == MPOL_EVENT_POLICY ? range_count.fetch_add(1) : kRangesMax;
    if (at >= kRangesMax) return;
    begun = &ranges[at];
    begun->start = reinterpret_cast<uintptr_t>(start);
    begun->size = size;
}

void on_end(void*, mpol_event event, void*, size_t) {
    if (event != MPOL_EVENT_POLICY || begun == nullptr) return;
    begun->ended = true;
    begun = nullptr;
}

constexpr mpol_notifier_ops kOps = {on_start, on_end};

bool was_told(const void* address) {
    const unsigned count = std::min(range_count.load(), kRangesMax);
    for (unsigned i = 0; i < count; ++i) {
        const bool covers = reinterpret_cast<uintptr_t>(address) - ranges[i].start < ranges[i].size;
        if (covers && ranges[i].ended) return true;
    }
    return false;
}

bool mapping_is_told() {
    range_count = 0;
    return was_told(
        ::mmap(nullptr, kGrowthBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

bool stack_is_told() {
    range_count = 0;
    bool told = false;
    std::thread([&] {
        const char here = 0;
        told = was_told(&here);
    }).join();
    return told;
}

// What is told before, with the process's kinds, and with those of this thread.
SUBJECT(hears_of_kinds) {
    std::thread([] { call_allocator(); }).join();  // The helper runs from now on.
    if (mpol_notifier_register(&kOps, nullptr) != 0) return 1;
    for (int i = 0; i < 3; ++i) {
        say("told %d %d", mapping_is_told(), stack_is_told());
        (void)await_command();
        call_allocator();
    }
    return 0;
}

}  // namespace

TEST(Notifier, HearsOfMappingsAndStacks) {
    Subject subject("hears_of_kinds");
    EXPECT_EQ(subject.hear("told"), "0 0");
    control::Target target = subject.attach();
    for (const auto kind : {MPOL_CTL_KIND_MMAP, MPOL_CTL_KIND_STACK}) {
        const auto generation = target.publish_kind({kind, 0}, bind_to({0}), false, kWaitMs);
        ASSERT_TRUE(generation);
        ASSERT_TRUE(target.wait_kind(kind, *generation, kWaitMs));
    }
    subject.tell('g');
    EXPECT_EQ(subject.hear("told"), "1 1");
    for (const auto kind : {MPOL_CTL_KIND_MMAP, MPOL_CTL_KIND_STACK}) {
        ASSERT_TRUE(target.publish_kind({kind, 0}, std::nullopt, false, kWaitMs));
        const auto slot = target.slot_of(subject.pid());
        ASSERT_TRUE(target.publish_own_kind(*slot, {kind, 0}, bind_to({0}), kWaitMs));
    }
    subject.tell('g');
    EXPECT_EQ(subject.hear("told"), "1 1");
    subject.tell('g');
    EXPECT_EQ(subject.finish(), 0);
}

}  // namespace mpol::test

// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdlib>

#include "errand.h"
#include "mpol/notifier.h"
#include "subject.h"

namespace mpol::test {
namespace {

constexpr unsigned kKinds = MPOL_EVENT_MIGRATE + 1;

// Of operations of a kind that cover the watched address.
std::atomic<uintptr_t> watched{0};
std::atomic<unsigned> starts[kKinds];
std::atomic<unsigned> ends[kKinds];
// Of all operations: threads that end what they have not begun.
std::atomic<unsigned> unpaired{0};
struct Begun {
    mpol_event event;
    void* start;
    size_t size;
    bool open;
};
thread_local constinit Begun begun{};

bool covers(void* start, size_t size) {
    return watched.load() - reinterpret_cast<uintptr_t>(start) < size;
}

void on_start(void*, mpol_event event, void* start, size_t size) {
    if (begun.open) ++unpaired;
    begun = {event, start, size, true};
    if (covers(start, size)) ++starts[event];
}

void on_end(void*, mpol_event event, void* start, size_t size) {
    if (!begun.open || begun.event != event || begun.start != start || begun.size != size) {
        ++unpaired;
    }
    begun.open = false;
    if (covers(start, size)) ++ends[event];
}

constexpr mpol_notifier_ops kOps = {on_start, on_end};

void purge_all() {
    (void)preloaded_mallctl("arena.4096.purge", nullptr, nullptr, nullptr, 0);  // ALL
}

// The helper may be at it just now.
void say_counts(const char* what, mpol_event event) {
    for (int i = 0; i < kSoonMs && ends[event] == 0; ++i) ::usleep(1000);
    say("%s %u %u", what, starts[event].load(), ends[event].load());
}

}  // namespace

SUBJECT(hears_of_its_heap) {
    void* const before = volatile_malloc(kGrowthBytes);
    if (mpol_notifier_register(&kOps, nullptr) != 0) return 1;
    void* const memory = volatile_malloc(kGrowthBytes);
    watched = reinterpret_cast<uintptr_t>(memory) + kGrowthBytes / 2;
    touch(memory, kGrowthBytes);
    say("ready");
    (void)await_command();  // The test sets a policy.
    call_allocator();
    say_counts("policy", MPOL_EVENT_POLICY);
    std::free(memory);
    purge_all();
    say_counts("unmap", MPOL_EVENT_UNMAP);
    say("unpaired %u", unpaired.load());
    if (mpol_notifier_unregister(&kOps, nullptr) != 0) return 1;
    const unsigned unmaps = starts[MPOL_EVENT_UNMAP];
    watched = reinterpret_cast<uintptr_t>(before) + kGrowthBytes / 2;
    touch(before, kGrowthBytes);
    std::free(before);
    purge_all();
    say("afterwards %u", starts[MPOL_EVENT_UNMAP] - unmaps);
    return 0;
}

TEST(Notifier, HearsOfPolicyAndUnmap) {
    Subject subject("hears_of_its_heap");
    subject.hear("ready");
    control::Target target = subject.attach();
    const uint64_t generation = set_process(target, bind_to({0}));
    subject.tell('g');
    EXPECT_EQ(subject.hear("policy"), "1 1");
    EXPECT_TRUE(target.wait_process(generation, kWaitMs));
    EXPECT_EQ(subject.hear("unmap"), "1 1");
    EXPECT_EQ(subject.hear("unpaired"), "0");
    EXPECT_EQ(subject.hear("afterwards"), "0");
    EXPECT_EQ(subject.finish(), 0);
}

namespace {

// Ranges that were mapped, whole: start and size of the last ones.
constexpr unsigned kRangesMax = 64;
struct Range {
    uintptr_t start;
    size_t size;
};
Range mapped[kRangesMax];
unsigned mapped_count = 0;

void note_map(void*, mpol_event event, void* start, size_t size) {
    if (event != MPOL_EVENT_MAP || mapped_count == kRangesMax) return;
    mapped[mapped_count++] = {reinterpret_cast<uintptr_t>(start), size};
}

bool was_mapped(void* memory) {
    for (unsigned i = 0; i < mapped_count; ++i) {
        if (reinterpret_cast<uintptr_t>(memory) - mapped[i].start < mapped[i].size) return true;
    }
    return false;
}

}  // namespace

SUBJECT(hears_of_maps) {
    const mpol_notifier_ops ops{note_map, nullptr};
    if (mpol_notifier_register(&ops, nullptr) != 0) return 1;
    say("process %d", was_mapped(volatile_malloc(kGrowthBytes)));
    (void)await_command();  // The test gives this thread a policy of its own.
    call_allocator();
    say("thread %d", was_mapped(volatile_malloc(kGrowthBytes)));
    return 0;
}

TEST(Notifier, HearsOfMapsOfTheProcessAndOfAThread) {
    Subject subject("hears_of_maps");
    EXPECT_EQ(subject.hear("process"), "1");
    control::Target target = subject.attach();
    set_thread(target, subject.pid(), bind_to({0}));
    subject.tell('g');
    EXPECT_EQ(subject.hear("thread"), "1");
    EXPECT_EQ(subject.finish(), 0);
}

}  // namespace mpol::test

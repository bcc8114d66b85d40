// SPDX-License-Identifier: Apache-2.0
// Random bytes in the ring and in its header words, ever new while the watcher reads: it ends
// within its time, and what it gives out is an event of a known kind or a number of lost ones.
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <random>
#include <thread>

#include "control/watch.h"
#include "replay.h"
#include "subject.h"
#include "sys/sys.h"

namespace mpol::test {
namespace {

constexpr int kReads = 3000;
constexpr uint64_t kReadingNsMax = 5'000'000'000;

mpol_ctl* map_segment(pid_t pid) {
    const int fd =
        ::open(fmt::format("/proc/{}/fd/{}", pid, segment_descriptors(pid).at(0)).c_str(), O_RDWR);
    void* const at = ::mmap(nullptr, sizeof(mpol_ctl), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ::close(fd);
    return at == MAP_FAILED ? nullptr : static_cast<mpol_ctl*>(at);
}

// Wild, near the truth, and the rows' words now and then such that they look right.
void scribble(mpol_ctl& segment, std::mt19937_64& random) {
    auto* const words = reinterpret_cast<uint64_t*>(segment.events);
    const size_t count = sizeof(segment.events) / (sizeof(uint64_t));
    control::store(words[random() % count], uint64_t{random()});
    mpol_ctl_event& row = segment.events[random() % MPOL_CTL_EVENTS];
    const uint64_t head = control::load(segment.header.event_head);
    control::store(row.word, uint64_t{((head - random() % 2048) << 1) | (random() % 2)});
    if (random() % 8 == 0) control::store(segment.header.event_head, uint64_t{random()});
    if (random() % 4 == 0) control::store(segment.header.event_head, head + random() % 2048);
    control::store(segment.header.event_bell, static_cast<uint32_t>(random()));
    if (random() % 16 == 0) control::store(segment.header.watch_until_ns, uint64_t{random()});
}

}  // namespace

SUBJECT(allocates_on_command) {
    call_allocator();
    say("ready");
    while (await_command() != 0) call_allocator();
    return 0;
}

TEST(HostileRing, NeverHarmsItsWatcher) {
    const uint64_t seed = announced_seed();
    Subject subject("allocates_on_command");
    subject.hear("ready");
    control::Target target = subject.attach();
    mpol_ctl* const segment = map_segment(subject.pid());
    ASSERT_NE(segment, nullptr);
    control::Watch watch(target);
    std::atomic<bool> stop{false};
    std::thread enemy([&] {
        std::mt19937_64 random(seed);
        while (!stop) scribble(*segment, random);
    });
    uint64_t events = 0;
    uint64_t losses = 0;
    const uint64_t deadline = sys::monotonic_ns() + kReadingNsMax;
    for (int i = 0; i < kReads && sys::monotonic_ns() < deadline; ++i) {
        const auto outcome = watch.next(1);
        if (outcome == control::Watch::Outcome::kEvent) {
            ++events;
            EXPECT_GE(watch.event().event, MPOL_EVENT_MAP);
            EXPECT_LE(watch.event().event, MPOL_EVENT_MIGRATE);
        }
        if (outcome == control::Watch::Outcome::kLost) ++losses;
        ASSERT_NE(outcome, control::Watch::Outcome::kGone);
    }
    stop = true;
    enemy.join();
    EXPECT_GT(events + losses, 0U);
    subject.tell('g');
    EXPECT_EQ(subject.finish(), 0);
    ::munmap(segment, sizeof(mpol_ctl));
}

}  // namespace mpol::test

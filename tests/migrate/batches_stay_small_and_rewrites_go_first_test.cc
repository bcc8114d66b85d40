// SPDX-License-Identifier: Apache-2.0
// While pages move, the program allocates and writes. A fault waits for a page of the batch under
// way, so what bounds its wait is the batch: counted here in batches, because time in the virtual
// machine means nothing.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>

#include "heap/migrate_plan.h"
#include "migrating.h"

namespace mpol::test {
namespace {

using Batches = FourNodes;
constexpr size_t kMemory = size_t{64} << 20;
// Around where the migration is: pages of the batch under way, or soon.
constexpr size_t kPagesBehind = 32;
constexpr size_t kPagesAhead = 64;
constexpr int kSteps = 100;
// Between two steps, so that the machine's processors get their turns.
constexpr useconds_t kPauseUs = 500;
// One that it waits for, and one that begins before it has woken up (2 seen). Room for more,
// because the machine's three processors take turns on one thread of the host.
constexpr uint64_t kBatchesPerSleepMax = 8;

uint64_t sleeps_of_this_thread() {
    rusage usage{};
    ::getrusage(RUSAGE_THREAD, &usage);
    return static_cast<uint64_t>(usage.ru_nvcsw);
}

int node_of(uint64_t address) {
    auto* page = reinterpret_cast<void*>(address);
    int node = -1;
    ::syscall(SYS_move_pages, 0, 1, &page, nullptr, &node, 0);
    return node;
}

// Where the migration is: pages below have left node 1, or are leaving it just now. It goes from
// low addresses to high ones.
uint64_t frontier(uint64_t address, uint64_t size) {
    uint64_t low = kPagesBehind;
    uint64_t high = size / kPage - kPagesAhead;
    while (low < high) {
        const uint64_t middle = (low + high) / 2;
        if (node_of(address + middle * kPage) == 1) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return address + low * kPage;
}

// One allocation, and a write to each of the pages that move now or soon.
void step(uint64_t address, uint64_t size) {
    auto* const object = static_cast<volatile char*>(volatile_malloc(kPage));
    object[0] = 1;
    const uint64_t start = frontier(address, size) - kPagesBehind * kPage;
    // The middle of the page: the pattern stands at its ends.
    for (size_t i = 0; i < kPagesBehind + kPagesAhead; ++i) {
        reinterpret_cast<volatile char*>(start)[i * kPage + 64] = 1;
    }
    std::free(const_cast<char*>(object));
}

// Answers with the steps that slept, the most batches of one sleep, and how many had too many.
uint64_t walk_verb(uint64_t address, uint64_t size, std::string& ret_text) {
    const auto self = control::Target::attach(::getpid(), control::Access::kRead);
    uint64_t slept = 0;
    uint64_t most_batches = 0;
    uint64_t long_sleeps = 0;
    for (int i = 0; i < kSteps; ++i) {
        ::usleep(kPauseUs);
        const uint64_t sleeps = sleeps_of_this_thread();
        const uint64_t batches = self->migration().batches;
        step(address, size);
        const uint64_t slept_now = sleeps_of_this_thread() - sleeps;
        if (slept_now == 0) continue;
        ++slept;
        const uint64_t batches_now = (self->migration().batches - batches) / slept_now;
        most_batches = std::max(most_batches, batches_now);
        long_sleeps += batches_now > kBatchesPerSleepMax;
    }
    ret_text = std::to_string(slept) + " " + std::to_string(most_batches) + " " +
               std::to_string(long_sleeps);
    return 0;
}
const Verb walk_registered("walk", walk_verb);

}  // namespace

TEST_F(Batches, StaySmallWhileTheProgramAllocates) {
    Migrating bench;
    const unsigned worker = bench.start_thread(0);
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({1}), {0, worker});
    const uint64_t memory = bench.allocate_imprinted(0, kMemory);
    bench.set_all(target, bind_to({2}), {0, worker});
    const uint64_t generation = start(target);
    uint64_t steps_that_slept = 0;
    uint64_t most_batches = 0;
    uint64_t long_sleeps = 0;
    MigrationState state;
    do {
        const std::string text = bench.run_text(worker, "walk", memory, kMemory);
        char* end = nullptr;
        steps_that_slept += std::strtoull(text.c_str(), &end, 10);
        most_batches = std::max<uint64_t>(most_batches, std::strtoull(end, &end, 10));
        long_sleeps += std::strtoull(end, nullptr, 10);
        state = follow(target, generation, [](const MigrationState&) { return true; });
    } while (!control::has_ended(state.phase));
    std::cout << "[ figures  ] " << steps_that_slept << " steps slept, at most " << most_batches
              << " batches for a sleep; " << state << '\n';
    EXPECT_EQ(state.phase, MigrationPhase::kDone) << state;
    EXPECT_EQ(state.failed_in_all(), 0U) << state;
    EXPECT_GE(state.batches, kMemory / kPage / heap::kBatchPagesMax) << state;
    EXPECT_GT(steps_that_slept, 0U) << "no step met the migration: nothing was shown";
    // The machine under the guest may leave a processor of it alone for a while.
    EXPECT_LE(long_sleeps * 100, steps_that_slept);
    EXPECT_TRUE(only_on(bench.nodes(memory, kMemory), NodeMask::of(2)));
    EXPECT_EQ(bench.mistakes(memory, kMemory), 0U);
}

}  // namespace mpol::test

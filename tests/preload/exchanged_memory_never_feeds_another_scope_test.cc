// SPDX-License-Identifier: Apache-2.0
// Two threads with policies of their own hand each other everything they allocate, and free what
// they are handed. What each allocates still comes from its own scope, every single object.
#include <gtest/gtest.h>
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <random>
#include <thread>
#include <utility>

#include "subject.h"

namespace mpol::test {
namespace {

constexpr unsigned kSeed = 20230;
constexpr int kExchanges = 400'000;
constexpr unsigned kMailbox = 1024;
constexpr unsigned kUnitsMax = 64;

std::atomic<void*> mailbox[kMailbox];

struct Units {
    uint64_t seen[kUnitsMax];
    unsigned count = 0;
    void add(const void* memory) {
        const uint64_t unit = reinterpret_cast<uint64_t>(memory) >> 30;
        for (unsigned i = 0; i < count; ++i) {
            if (seen[i] == unit) return;
        }
        if (count < kUnitsMax) seen[count++] = unit;
    }
};

Units units[2];
pthread_barrier_t barrier;

// Every way of allocating.
void* allocate(std::minstd_rand& random, void* received) {
    const size_t size = random() % 50 == 0 ? random() % 100'000 : 1 + random() % 2000;
    switch (random() % 6) {
        case 0:
            return std::calloc(1, size);
        case 1:
            return std::aligned_alloc(64, (size + 63) & ~size_t{63});
        case 2:
            return ::operator new(size);
        case 3:
            std::free(std::realloc(received, size));
            return std::malloc(size);
        default:
            return std::malloc(size);
    }
}

void exchange(unsigned self) {
    say("tid %d", ::gettid());
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    std::minstd_rand random(kSeed + self);
    for (int i = 0; i < kExchanges; ++i) {
        std::atomic<void*>& box = mailbox[random() % kMailbox];
        void* received = box.exchange(nullptr);
        const bool keep_for_realloc = random() % 8 == 0;
        if (!keep_for_realloc) std::free(std::exchange(received, nullptr));
        void* const memory = allocate(random, received == nullptr ? std::malloc(8) : received);
        units[self].add(memory);
        std::free(box.exchange(memory));
    }
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
}

void report(const Units& seen) {
    for (unsigned i = 0; i < seen.count; ++i) {
        say("unit %#llx", static_cast<unsigned long long>(seen.seen[i]));
    }
    say("unit 0");
}

}  // namespace

SUBJECT(exchange_memory) {
    pthread_barrier_init(&barrier, nullptr, 3);
    std::thread first(exchange, 0);
    std::thread second(exchange, 1);
    pthread_barrier_wait(&barrier);
    await_command();
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    report(units[0]);
    report(units[1]);
    await_command();
    ::_exit(0);
}

TEST(Purity, HoldsWhileMemoryIsExchanged) {
    SCOPED_TRACE("seed " + std::to_string(kSeed));
    Subject subject("exchange_memory");
    const pid_t tids[2] = {static_cast<pid_t>(subject.hear_number("tid")),
                           static_cast<pid_t>(subject.hear_number("tid"))};
    control::Target target = subject.attach();
    const Policy policies[2] = {bind_to({0}), make_policy(Mode::kInterleave, {0})};
    for (int i = 0; i < 2; ++i) set_thread(target, tids[i], policies[i]);
    subject.tell('g');
    // The threads announced themselves in either order; the scopes tell which list is whose.
    uint32_t scopes[2] = {};
    for (uint32_t& scope : scopes) {
        for (uint64_t unit = 0; (unit = subject.hear_number("unit")) != 0;) {
            const uint32_t owner = in_regions(target, unit << 30, 1)   ? 1
                                   : in_regions(target, unit << 30, 2) ? 2
                                                                       : 0;
            if (scope == 0) scope = owner;
            EXPECT_NE(owner, 0U) << "memory of the process";
            EXPECT_EQ(owner, scope) << "memory of the other thread";
        }
    }
    EXPECT_NE(scopes[0], scopes[1]);
    EXPECT_GT(target.counter(MPOL_CTL_FOREIGN_FREES), 0U);
    EXPECT_EQ(subject.finish(), 0);
}

}  // namespace mpol::test

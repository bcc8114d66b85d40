// SPDX-License-Identifier: Apache-2.0
// lib/control/latch.h itself, run by relacy: every interleaving (within the bound on context
// switches that each scenario states) and, for every load, every one of the last three values that
// the C++ memory model lets it see. The mutex stands for the writers' lock, which the kernel drops
// when its holder dies; a dead writer here is one whose stores no longer happen.
//
// What a reader must see follows from the generation alone, so a mixed, stale or misdirected
// payload can't pass by chance.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <iostream>

#include "control/latch.h"

// Last: it puts macros in the place of new, delete, malloc, errno and the like.
#include <relacy/relacy.hpp>
#undef new
#undef delete
#undef malloc
#undef calloc
#undef realloc
#undef free
#undef assert
#undef errno

namespace mpol::control {
namespace {

constexpr unsigned kWords = 2;
constexpr unsigned kThreadsMax = 4;
constexpr unsigned kImmortal = ~0U;

// How many stores each thread may still do; not part of the modelled memory.
unsigned stores_left[kThreadsMax];

void live_forever() {
    for (unsigned& left : stores_left) left = kImmortal;
}

// Whether the calling thread's next store happens.
bool outlives_store() {
    unsigned& left = stores_left[rl::thread_index()];
    if (left == 0) return false;
    if (left != kImmortal) --left;
    return true;
}

struct ModelMemory {
    using Cell = rl::atomic<uint64_t>;
    static uint64_t load(const Cell& cell) { return cell.load(rl::mo_acquire, $); }
    static void store(Cell& cell, uint64_t value) {
        if (outlives_store()) cell.store(value, rl::mo_release, $);
    }
    static bool cas(Cell& cell, uint64_t& expected, uint64_t desired) {
        return !outlives_store() ||
               cell.compare_exchange_strong(expected, desired, rl::mo_acq_rel, $);
    }
    static void clear(Cell& cell, uint64_t bits) {
        if (outlives_store()) cell.fetch_and(~bits, rl::mo_acq_rel, $);
    }
};
using ModelLatch = Latch<ModelMemory>;
using Cell = ModelMemory::Cell;

// Stores of one publication: the owner, the spare, the word, the home, the word.
constexpr unsigned kStoresOfPublication = 1 + kWords + 1 + kWords + 1;

void store_initially(Cell& cell, uint64_t value) {
    cell.store(value, rl::mo_relaxed, $);
}

struct Row {
    Cell word;
    Cell home[kWords];
};

// A segment in small: latches that share a spare, as include/mpol/control.h lays them out.
template <unsigned kRows>
struct Segment {
    Row rows[kRows];
    Cell spare_owner;
    Cell spare[kWords];
    rl::mutex lock;

    // Payload of row 0 at generation 1 is 101 in all words, and so on: see expected().
    void begin(uint64_t state) {
        store_initially(spare_owner, 0);
        for (Cell& cell : spare) store_initially(cell, 0);
        for (unsigned row = 0; row < kRows; ++row) {
            store_initially(rows[row].word, next_generation(state));
            for (Cell& cell : rows[row].home) store_initially(cell, expected(row, 1));
        }
    }

    ModelLatch latch(uint64_t row) { return {&rows[row].word, rows[row].home, spare, kWords}; }

    static uint64_t expected(unsigned row, uint64_t generation) {
        return (row + 1) * 100 + generation;
    }

    // What attach.cc does under the lock, before and in a publication.
    void finish_last_owner() { latch_finish(latch(ModelMemory::load(spare_owner))); }
    bool publish(unsigned row, uint64_t seen, uint64_t value) {
        ModelMemory::store(spare_owner, row);
        const uint64_t payload[kWords] = {value, value};
        return latch_publish(latch(row), seen, kHasPolicy, payload);
    }

    // A writing process, which may die on the way.
    void write(unsigned row) {
        lock.lock($);
        finish_last_owner();
        const uint64_t seen = ModelMemory::load(rows[row].word);
        RL_ASSERT(publish(row, seen, expected(row, generation(seen) + 1)));
        lock.unlock($);
    }

    // Returns the generation read.
    uint64_t read(unsigned row) {
        uint64_t payload[kWords];
        uint64_t word = 0;
        RL_ASSERT(latch_read(latch(row), payload, word));
        for (const uint64_t got : payload) RL_ASSERT(got == expected(row, generation(word)));
        return generation(word);
    }
};

// Writers 0 and 1 publish to both latches in opposite order; readers 2 and 3 read one latch each.
struct TwoLatchesShareASpare : rl::test_suite<TwoLatchesShareASpare, 4> {
    Segment<2> segment;

    void before() {
        live_forever();
        segment.begin(0);
    }
    void thread(unsigned index) {
        if (index < 2) {
            segment.write(index);
            segment.write(1 - index);
            return;
        }
        const unsigned row = index - 2;
        const uint64_t first = segment.read(row);
        RL_ASSERT(segment.read(row) >= first);
    }
    void after() {
        for (unsigned row = 0; row < 2; ++row) RL_ASSERT(segment.read(row) == 3);
    }
};

// As above with one publication each, so that every interleaving can be tried.
template <unsigned kFirst, unsigned kSecond>
struct TwoWritersOneReader : rl::test_suite<TwoWritersOneReader<kFirst, kSecond>, 3> {
    Segment<2> segment;

    void before() {
        live_forever();
        segment.begin(0);
    }
    void thread(unsigned index) {
        if (index < 2) return segment.write(index == 0 ? kFirst : kSecond);
        const uint64_t first = segment.read(kFirst);
        RL_ASSERT(segment.read(kFirst) >= first);
    }
};

// Writer 0 dies after any number of stores; writer 1 then writes the same latch, or another that
// shares its spare; reader 2 reads all the while.
template <unsigned kSecondRow>
struct WriterDies : rl::test_suite<WriterDies<kSecondRow>, 3> {
    Segment<2> segment;

    void before() {
        live_forever();
        segment.begin(0);
    }
    void thread(unsigned index) {
        if (index == 0) {
            stores_left[0] = rl::rand(kStoresOfPublication + 1);
            segment.write(0);
        } else if (index == 1) {
            segment.write(kSecondRow);
        } else {
            const uint64_t first = segment.read(0);
            RL_ASSERT(segment.read(0) >= first);
        }
    }
    // Readable, and writable again.
    void after() {
        live_forever();
        RL_ASSERT(segment.read(kSecondRow) >= 2);
        const uint64_t before = segment.read(0);
        segment.write(0);
        RL_ASSERT(segment.read(0) == before + 1);
    }
};

// One slot. Threads 0 and 1 each live in it once, with a policy of their own; thread 2 is an
// outside writer; thread 3 reads. With kDies the writer dies after any number of stores, and
// another follows.
template <bool kDies>
struct SlotLives : rl::test_suite<SlotLives<kDies>, 4> {
    static constexpr unsigned kLivesMax = 2;

    Segment<1> segment;
    // The generation that each life opened with, known before anyone can see it.
    uint64_t opened[kLivesMax];
    unsigned lives;

    uint64_t life_of(uint64_t generation) const {
        return lives == 2 && generation >= opened[1] ? 2 : 1;
    }
    uint64_t expected_in_life(uint64_t generation) const {
        return life_of(generation) * 100 + generation;
    }

    void before() {
        live_forever();
        lives = 0;
        segment.begin(kFree);
    }

    void live_once() {
        Row& row = segment.rows[0];
        if (!slot_claim<ModelMemory>(row.word)) return;  // The program goes to another slot.
        const uint64_t open = generation(next_generation(ModelMemory::load(row.word)));
        opened[lives++] = open;
        for (Cell& cell : row.home) ModelMemory::store(cell, expected_in_life(open));
        slot_open<ModelMemory>(row.word, kHasPolicy);
        slot_release<ModelMemory>(row.word);
    }

    void write_from_outside() {
        segment.lock.lock($);
        segment.finish_last_owner();
        const uint64_t seen = ModelMemory::load(segment.rows[0].word);
        if ((seen & kState) == kLive) {
            const uint64_t next = generation(seen) + 1;
            (void)segment.publish(0, seen, life_of(generation(seen)) * 100 + next);
        }
        segment.lock.unlock($);
    }

    void check() {
        uint64_t payload[kWords];
        uint64_t word = 0;
        RL_ASSERT(latch_read(segment.latch(0), payload, word));
        if ((word & kState) != kLive) return;
        RL_ASSERT((word & kHasPolicy) != 0);
        for (const uint64_t got : payload) RL_ASSERT(got == expected_in_life(generation(word)));
    }

    void thread(unsigned index) {
        if (index < 2) {
            live_once();
        } else if (index == 2) {
            if (kDies) {
                stores_left[2] = rl::rand(kStoresOfPublication + 1);
                write_from_outside();
                stores_left[2] = kImmortal;
            }
            write_from_outside();
        } else {
            check();
        }
    }

    // Whatever happened, the next writer frees the slot for the next thread.
    void after() {
        live_forever();
        segment.finish_last_owner();
        RL_ASSERT(slot_claim<ModelMemory>(segment.rows[0].word));
    }
};

// A latch with a spare of its own and one writer.
template <unsigned kReaders>
struct Flip : rl::test_suite<Flip<kReaders>, 1 + kReaders> {
    Segment<1> segment;

    void before() {
        live_forever();
        segment.begin(0);
    }
    void thread(unsigned index) {
        if (index == 0) {
            for (uint64_t next = 2; next <= 3; ++next) {
                const uint64_t value = segment.expected(0, next);
                const uint64_t payload[kWords] = {value, value};
                latch_flip(segment.latch(0), 0, payload);
            }
            return;
        }
        const uint64_t first = segment.read(0);
        RL_ASSERT(segment.read(0) >= first);
    }
    void after() { RL_ASSERT(segment.read(0) == 3); }
};

constexpr unsigned kUnbounded = ~0U;

// Tries every execution with at most context_switches preemptions. MPOL_MODEL_DEEPER=n allows n
// more than fit into a minute.
template <class Scenario>
void try_all(unsigned context_switches) {
    const char* deeper = std::getenv("MPOL_MODEL_DEEPER");
    if (deeper != nullptr && context_switches != kUnbounded) {
        context_switches += static_cast<unsigned>(std::atoi(deeper));
    }
    std::ostream nowhere(nullptr);
    rl::test_params params;
    params.progress_stream = &nowhere;
    params.search_type = context_switches == kUnbounded ? rl::sched_full : rl::sched_bound;
    params.context_bound = context_switches;
    // Prints the number of executions, or the one that failed, step by step.
    EXPECT_TRUE(rl::simulate<Scenario>(params));
}

TEST(LatchModel, TwoLatchesThatShareASpareAreReadWhole) {
    try_all<TwoLatchesShareASpare>(1);
}
TEST(LatchModel, WritersOfOneLatch) {
    try_all<TwoWritersOneReader<0, 0>>(3);
}
TEST(LatchModel, WritersOfTwoLatches) {
    try_all<TwoWritersOneReader<0, 1>>(3);
}
TEST(LatchModel, WriterDiesBeforeTheSameLatchIsWritten) {
    try_all<WriterDies<0>>(2);
}
TEST(LatchModel, WriterDiesBeforeAnotherLatchIsWritten) {
    try_all<WriterDies<1>>(3);
}
TEST(LatchModel, SlotShowsOnlyTheLifeItIsIn) {
    try_all<SlotLives<false>>(2);
}
TEST(LatchModel, SlotShowsOnlyTheLifeItIsInWhenAWriterDies) {
    try_all<SlotLives<true>>(1);
}
TEST(LatchModel, FlippedLatchIsReadWholeByOne) {
    try_all<Flip<1>>(kUnbounded);
}
TEST(LatchModel, FlippedLatchIsReadWholeByTwo) {
    try_all<Flip<2>>(3);
}

}  // namespace
}  // namespace mpol::control

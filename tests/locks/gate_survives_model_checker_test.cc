// SPDX-License-Identifier: Apache-2.0
// lib/heap/gate.h itself, run by relacy: every interleaving within the bound on context switches
// that each scenario states. A futex is a mutex and a condition variable that compare and sleep as
// one step, as the kernel does; a lost wake-up is a deadlock, which relacy reports.
//
// A variable that is no atomic is read inside and written by the closer: a data race is somebody
// who is inside while it is closed.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <iostream>

#include "heap/gate.h"

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

namespace mpol::heap {
namespace {

// How many sleeps may still be ended by a signal; not part of the modelled memory.
unsigned signals_left;

struct ModelMemory {
    struct Cell {
        Cell() { word.store(0, rl::mo_relaxed, $); }
        rl::atomic<uint32_t> word;
        mutable rl::mutex bucket;
        mutable rl::condition_variable sleepers;
    };
    static uint32_t load(const Cell& cell) { return cell.word.load(rl::mo_seq_cst, $); }
    static bool cas(Cell& cell, uint32_t& expected, uint32_t desired) {
        return cell.word.compare_exchange_strong(expected, desired, rl::mo_seq_cst, $);
    }
    static uint32_t add(Cell& cell, uint32_t value) {
        return cell.word.fetch_add(value, rl::mo_seq_cst, $);
    }
    static uint32_t fetch_or(Cell& cell, uint32_t bits) {
        return cell.word.fetch_or(bits, rl::mo_seq_cst, $);
    }
    static uint32_t fetch_and(Cell& cell, uint32_t bits) {
        return cell.word.fetch_and(bits, rl::mo_seq_cst, $);
    }
    static int wait_interruptibly(const Cell& cell, uint32_t expected) {
        if (signals_left > 0 && rl::rand(2) == 1) {
            --signals_left;
            return -EINTR;
        }
        return wait(cell, expected);
    }
    static int wait(const Cell& cell, uint32_t expected) {
        cell.bucket.lock($);
        // The kernel reads the word under its bucket's lock, which a waker takes too.
        const bool asleep = cell.word.load(rl::mo_seq_cst, $) == expected;
        if (asleep) cell.sleepers.wait(cell.bucket, $);
        cell.bucket.unlock($);
        return asleep ? 0 : -EAGAIN;
    }
    static void wake_all(const Cell& cell) {
        cell.bucket.lock($);
        cell.sleepers.notify_all($);
        cell.bucket.unlock($);
    }
};

struct Place {
    BasicGate<ModelMemory> gate;
    rl::var<unsigned> owned{0};
    unsigned visits = 0;

    void visit() {
        gate.enter();
        (void)static_cast<unsigned>(VAR(owned));
        gate.leave();
        ++visits;
    }
    // A signal handler comes, too, while it is inside.
    void visit_twice() {
        gate.enter();
        gate.enter_again();
        (void)static_cast<unsigned>(VAR(owned));
        gate.leave();
        (void)static_cast<unsigned>(VAR(owned));
        gate.leave();
        ++visits;
    }
    // The handler comes before it is inside.
    void visit_from_the_way_in() {
        gate.enter_again();
        (void)static_cast<unsigned>(VAR(owned));
        gate.leave();
        visit();
    }
    // As often as it takes.
    void own() {
        while (gate.close() != 0) {
        }
        VAR(owned) = static_cast<unsigned>(VAR(owned)) + 1;
        gate.open();
    }
};

// Thread 0 closes and opens; each other thread goes in and out.
template <unsigned kVisitors, unsigned kVisits, unsigned kCloses, unsigned kSignals>
struct ClosedAgainstVisitors
    : rl::test_suite<ClosedAgainstVisitors<kVisitors, kVisits, kCloses, kSignals>, 1 + kVisitors> {
    Place place;

    void before() { signals_left = kSignals; }
    void thread(unsigned index) {
        if (index == 0) {
            for (unsigned i = 0; i < kCloses; ++i) place.own();
        } else {
            for (unsigned i = 0; i < kVisits; ++i) place.visit();
        }
    }
    void after() {
        RL_ASSERT(place.visits == kVisitors * kVisits);
        RL_ASSERT(static_cast<unsigned>(place.owned($)) == kCloses);
        signals_left = 0;
        RL_ASSERT(place.gate.close() == 0);
    }
};

// Two closers under a mutex, as in locks.cc.
struct TwoClosers : rl::test_suite<TwoClosers, 3> {
    Place place;
    rl::mutex above_all;

    void before() { signals_left = 1; }
    void thread(unsigned index) {
        if (index == 2) return place.visit();
        above_all.lock($);
        place.own();
        above_all.unlock($);
    }
    void after() { RL_ASSERT(static_cast<unsigned>(place.owned($)) == 2); }
};

// A handler that interrupts thread 1 inside, and one that interrupts thread 2 on its way in.
struct HandlersComeAgain : rl::test_suite<HandlersComeAgain, 3> {
    Place place;

    void thread(unsigned index) {
        if (index == 0) return place.own();
        return index == 1 ? place.visit_twice() : place.visit_from_the_way_in();
    }
    void after() {
        RL_ASSERT(place.visits == 2 && static_cast<unsigned>(place.owned($)) == 1);
        RL_ASSERT(place.gate.close() == 0);
    }
};

// Tries every execution with at most context_switches preemptions. MPOL_MODEL_DEEPER=n allows n
// more than fit into a minute.
template <class Scenario>
void try_all(unsigned context_switches) {
    if (const char* const deeper = std::getenv("MPOL_MODEL_DEEPER")) {
        context_switches += static_cast<unsigned>(std::atoi(deeper));
    }
    std::ostream nowhere(nullptr);
    rl::test_params params;
    params.progress_stream = &nowhere;
    params.search_type = rl::sched_bound;
    params.context_bound = context_switches;
    // Prints the number of executions, or the one that failed, step by step.
    EXPECT_TRUE(rl::simulate<Scenario>(params));
}

TEST(GateModel, OneVisitor) {
    try_all<ClosedAgainstVisitors<1, 2, 2, 0>>(5);
}
TEST(GateModel, TwoVisitors) {
    try_all<ClosedAgainstVisitors<2, 1, 1, 0>>(5);
}
TEST(GateModel, TwoVisitorsKeptWaitingTwice) {
    try_all<ClosedAgainstVisitors<2, 1, 2, 0>>(4);
}
TEST(GateModel, CloserInterrupted) {
    try_all<ClosedAgainstVisitors<1, 2, 1, 2>>(5);
}
TEST(GateModel, CloserInterruptedAgainstTwo) {
    try_all<ClosedAgainstVisitors<2, 1, 1, 1>>(4);
}
TEST(GateModel, HandlersComeAgain) {
    try_all<HandlersComeAgain>(4);
}
TEST(GateModel, ClosersTakeTurns) {
    try_all<TwoClosers>(4);
}

}  // namespace
}  // namespace mpol::heap

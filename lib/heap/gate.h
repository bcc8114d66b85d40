// SPDX-License-Identifier: Apache-2.0
// A gate: operations of one kind go in and out; whoever closes it waits until nobody is inside and
// then has the place to himself until he opens it again.
//
//     state_    CLOSED | number inside        futex: the closer, and those who wait to get in
//     waiting_  number who met it closed      futex: the next closer
//
// Neither side starves the other: a closed gate lets nobody pass, and a gate is not closed again
// before everyone whom it kept waiting has got in.
//
// All accesses are sequentially consistent, because two of them must not pass each other: one who
// waits counts himself and then looks whether it is closed; the opener opens and then looks whether
// anyone waits. One of the two sees what the other wrote.
//
// One closer at a time: closers are serialised by a mutex above all gates (locks.h). An entrant
// that is inside must not enter again, nor wait for anything that the closer holds.
//
// Templated on the memory so that a model checker runs this very source. Memory supplies
//     Cell                                              one atomic uint32_t
//     load, cas, add, fetch_or, fetch_and               sequentially consistent
//     wait(const Cell&, uint32_t expected)              whatever ends it
//     wait_interruptibly(const Cell&, uint32_t expected)   0, -EAGAIN; -EINTR: a signal came
//     wake_all(const Cell&)
//
// Never allocates; errno is preserved. Async-signal-safe are enter_again and the leave after it.
#pragma once

#include <cerrno>
#include <cstdint>

namespace mpol::heap {

template <class Memory>
class BasicGate {
  public:
    constexpr BasicGate() = default;
    BasicGate(const BasicGate&) = delete;
    BasicGate& operator=(const BasicGate&) = delete;

    void enter() {
        if (!try_enter()) enter_when_open([this] { return try_enter(); });
    }

    [[nodiscard]] bool try_enter() {
        uint32_t seen = Memory::load(state_);
        while ((seen & kClosed) == 0) {
            if (Memory::cas(state_, seen, seen + 1)) return true;
        }
        return false;
    }

    // For a signal handler, which may have interrupted one who is inside, or on his way in or out:
    // as enter, but joins those inside a closed gate, whose closer waits for them anyway. Where
    // none is inside it is the closer's, and the interrupted one isn't in.
    void enter_again() {
        if (!try_join()) enter_when_open([this] { return try_join(); });
    }

    void leave() {
        const uint32_t before = Memory::add(state_, ~uint32_t{0});
        if (before == (kClosed | 1)) Memory::wake_all(state_);
    }

    // 0, and nobody is inside; or -EINTR, and the gate is open.
    [[nodiscard]] int close() {
        while (const uint32_t left = Memory::load(waiting_)) {
            if (Memory::wait_interruptibly(waiting_, left) == -EINTR) return -EINTR;
        }
        Memory::fetch_or(state_, kClosed);
        for (;;) {
            const uint32_t seen = Memory::load(state_);
            if (seen == kClosed) return 0;
            if (Memory::wait_interruptibly(state_, seen) == -EINTR) break;
        }
        open();
        return -EINTR;
    }

    void open() {
        Memory::fetch_and(state_, ~kClosed);
        if (Memory::load(waiting_) != 0) Memory::wake_all(state_);
    }

    // In a copy of the process, where nobody else exists.
    void renew() {
        Memory::fetch_and(state_, 0);
        Memory::fetch_and(waiting_, 0);
    }

  private:
    static constexpr uint32_t kClosed = uint32_t{1} << 31;

    bool try_join() {
        uint32_t seen = Memory::load(state_);
        while (seen != kClosed) {
            if (Memory::cas(state_, seen, seen + 1)) return true;
        }
        return false;
    }

    template <class TryEnter>
    void enter_when_open(TryEnter try_again) {
        Memory::add(waiting_, 1);
        while (!try_again()) {
            const uint32_t seen = Memory::load(state_);
            if ((seen & kClosed) != 0) Memory::wait(state_, seen);
        }
        if (Memory::add(waiting_, ~uint32_t{0}) == 1) Memory::wake_all(waiting_);
    }

    typename Memory::Cell state_{};
    typename Memory::Cell waiting_{};
};

// For the length of a block.
template <class Gate>
class Inside {
  public:
    explicit Inside(Gate& gate) : gate_(gate) { gate_.enter(); }
    ~Inside() { gate_.leave(); }
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;

  private:
    Gate& gate_;
};

}  // namespace mpol::heap

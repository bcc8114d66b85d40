// SPDX-License-Identifier: Apache-2.0
// A stretch of work on the daemon's loop, which ends after a while, done or not, so that what has
// come meanwhile is heard. Whoever takes a turn asks for another one if it is not done.
#pragma once

#include <cstdint>

namespace mpol::daemon {

inline constexpr uint64_t kTurnNs = 2'000'000;

// Now: what tells the time, in ns.
template <class Now>
class Turn {
  public:
    explicit Turn(Now now) : now_(now), begin_ns_(now()) {}

    [[nodiscard]] uint64_t begin_ns() const { return begin_ns_; }
    [[nodiscard]] bool is_over() const { return now_() - begin_ns_ >= kTurnNs; }

  private:
    Now now_;
    uint64_t begin_ns_;
};

// Does something with one after the other of those in a queue by time that are due, each taken out
// of it first; what is left when the turn is over stays in it.
template <class Queue, class Now, class Do>
void do_what_is_due(Queue& queue, Now now, Do&& one) {
    const Turn turn(now);
    while (!queue.empty() && queue.begin()->first <= turn.begin_ns()) {
        one(queue.extract(queue.begin()));
        if (turn.is_over()) return;
    }
}

}  // namespace mpol::daemon

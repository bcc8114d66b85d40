// SPDX-License-Identifier: Apache-2.0
// The reader's side of a segment's events (events.h has the protocol): every event in order, or how
// many were lost. While a Watch lives it keeps asking the target to be woken; a target whose watchers
// are stopped, or dead, goes on without them.
//
// What is in the segment is not believed: a row counts when its word says before and after that it
// is the one looked for, its fields are copied once, and an event of no known kind is lost.
#pragma once

#include <cstdint>
#include <optional>

#include "control/attach.h"
#include "mpol/notifier.h"

namespace mpol::control {

struct WatchedEvent {
    uint64_t sequence = 0;
    uint64_t time_ns = 0;  // CLOCK_REALTIME
    mpol_event event = MPOL_EVENT_MAP;
    bool end = false;
    uint64_t start = 0;
    uint64_t size = 0;
    pid_t tid = 0;  // in the target's own pid namespace
};

class Watch {
  public:
    // Events from now on. The target must be open for writing, and outlive this.
    explicit Watch(Target& target);

    enum class Outcome {
        kEvent,
        kLost,         // lost() of them, before the next event
        kTimedOut,
        kInterrupted,  // a signal handler ran
        kGone,         // the process has exited, or is another program now; nothing is left to read
    };
    // timeout_ms < 0: none.
    [[nodiscard]] Outcome next(int timeout_ms);

    [[nodiscard]] const WatchedEvent& event() const { return event_; }
    [[nodiscard]] uint64_t lost() const { return lost_; }

  private:
    enum class Found { kEvent, kLost, kNothing, kUnfinished };

    void renew(uint64_t now_ns);
    [[nodiscard]] Found look();
    [[nodiscard]] Found look_at_row();
    [[nodiscard]] Found lose(uint64_t count);

    Target* target_;
    uint64_t next_;                   // sequence number
    uint64_t renewed_ns_ = 0;         // CLOCK_MONOTONIC
    uint64_t checked_ns_ = 0;         // when the target was last seen alive
    uint64_t unfinished_since_ns_ = 0;  // that row next_ is being written; 0: it is not
    WatchedEvent event_;
    uint64_t lost_ = 0;
};

}  // namespace mpol::control

// SPDX-License-Identifier: Apache-2.0
// A one-shot timer on the daemon's loop. Costs nothing while it is not set.
#pragma once

#include <cstdint>
#include <functional>

#include "daemon/event_loop.h"

namespace mpol::daemon {

class Timer {
  public:
    // clock: CLOCK_MONOTONIC, or CLOCK_REALTIME for times of day. Throws std::bad_alloc.
    Timer(sd_event* loop, clockid_t clock, std::function<void()> due);
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

    // Due at that time of its clock; an earlier setting is forgotten.
    void set_at_ns(uint64_t time_ns);
    // Due then at the latest: a setting that is earlier stays.
    void set_by_ns(uint64_t time_ns);
    void stop();

  private:
    static int on_time(sd_event_source* source, uint64_t time_us, void* opaque);

    std::function<void()> due_;
    EventSource source_;
    uint64_t at_ns_ = 0;  // 0: not set
};

}  // namespace mpol::daemon

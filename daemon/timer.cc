// SPDX-License-Identifier: Apache-2.0
#include "daemon/timer.h"

#include <new>
#include <utility>

namespace mpol::daemon {
namespace {

// How late it may be: what latencies are told in.
constexpr uint64_t kAccuracyUs = 500;

}  // namespace

Timer::Timer(sd_event* loop, clockid_t clock, std::function<void()> due) : due_(std::move(due)) {
    sd_event_source* source = nullptr;
    if (sd_event_add_time(loop, &source, clock, 0, kAccuracyUs, on_time, this) < 0) {
        throw std::bad_alloc();
    }
    source_.reset(source);
    stop();
}

void Timer::set_at_ns(uint64_t time_ns) {
    at_ns_ = time_ns;
    sd_event_source_set_time(source_.get(), (time_ns + 999) / 1000);
    sd_event_source_set_enabled(source_.get(), SD_EVENT_ONESHOT);
}

void Timer::set_by_ns(uint64_t time_ns) {
    if (at_ns_ == 0 || time_ns < at_ns_) set_at_ns(time_ns);
}

void Timer::stop() {
    at_ns_ = 0;
    sd_event_source_set_enabled(source_.get(), SD_EVENT_OFF);
}

int Timer::on_time(sd_event_source*, uint64_t, void* opaque) {
    auto* const timer = static_cast<Timer*>(opaque);
    timer->at_ns_ = 0;
    timer->due_();
    return 0;
}

}  // namespace mpol::daemon

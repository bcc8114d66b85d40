// SPDX-License-Identifier: Apache-2.0
#include "control/watch.h"

#include <algorithm>
#include <cerrno>

#include "control/events.h"
#include "sys/sys.h"

namespace mpol::control {
namespace {

// How long the target wakes a watcher that has been stopped, and how often one that runs says that
// it is there: far apart, so that a loaded machine comes to no lapse.
constexpr uint64_t kLeaseNs = 10'000'000'000;
constexpr uint64_t kRenewNs = 1'000'000'000;
// Each fails because another watcher was faster, whose renewal serves as well. One that comes to
// nothing is made good by the next, long before the lease is up.
constexpr unsigned kRenewTries = 8;
// How often the target is checked to be alive while nothing happens.
constexpr uint64_t kAliveCheckNs = 200'000'000;
// A row takes nanoseconds to write; a thread that was preempted in the midst of one comes back
// within the scheduler's slices. Longer: it never will, or it gave the event up.
constexpr uint64_t kUnfinishedNs = 500'000'000;

}  // namespace

// The number first: from the renewal on every event is recorded.
Watch::Watch(Target& target) : target_(&target), next_(load(target.segment_->header.event_head)) {
    renew(sys::monotonic_ns());
}

// Never shortens what another watcher has asked for.
void Watch::renew(uint64_t now_ns) {
    renewed_ns_ = now_ns;
    uint64_t& until = target_->segment_->header.watch_until_ns;
    const uint64_t wanted = sys::realtime_ns() + kLeaseNs;
    // One far ahead is damage, or the clock was set back.
    (void)replace_if(until, wanted, kRenewTries,
                     [wanted](uint64_t seen) { return seen < wanted || seen > wanted + kLeaseNs; });
}

Watch::Found Watch::lose(uint64_t count) {
    lost_ = count;
    next_ += count;
    unfinished_since_ns_ = 0;
    return Found::kLost;
}

// Event next_ was begun, and not so long ago that its row must be another's.
Watch::Found Watch::look_at_row() {
    const mpol_ctl_event& row = target_->segment_->events[next_ % MPOL_CTL_EVENTS];
    const uint64_t wanted = event_word(next_);
    const uint64_t before = SharedMemory::load(row.word);
    if ((before & ~kEventWriting) > wanted) return lose(1);
    if (before != wanted) {
        const uint64_t now = sys::monotonic_ns();
        if (unfinished_since_ns_ == 0) unfinished_since_ns_ = now;
        return now - unfinished_since_ns_ < kUnfinishedNs ? Found::kUnfinished : lose(1);
    }
    const uint32_t event = load(row.event);
    const bool known = event >= MPOL_EVENT_MAP && event <= MPOL_EVENT_MIGRATE;
    event_ = {.sequence = next_,
              .time_ns = load(row.time_ns),
              .event = known ? static_cast<mpol_event>(event) : MPOL_EVENT_MAP,
              .end = load(row.end) != 0,
              .start = load(row.start),
              .size = load(row.size),
              .tid = static_cast<pid_t>(load(row.tid))};
    // Fields of a later event come with a later word: stores of release, loads of acquire.
    if (SharedMemory::load(row.word) != wanted || !known) return lose(1);
    ++next_;
    unfinished_since_ns_ = 0;
    return Found::kEvent;
}

Watch::Found Watch::look() {
    const uint64_t head = load(target_->segment_->header.event_head);
    if (head < next_) next_ = head;  // Only damage does that.
    if (head == next_) return Found::kNothing;
    if (head - next_ > MPOL_CTL_EVENTS) return lose(head - next_ - MPOL_CTL_EVENTS);
    return look_at_row();
}

Watch::Outcome Watch::next(int timeout_ms) {
    const uint64_t begin = sys::monotonic_ns();
    const uint64_t limit =
        timeout_ms < 0 ? ~uint64_t{0} : static_cast<uint64_t>(timeout_ms) * 1'000'000;
    for (bool alive = true;;) {
        const uint32_t bell = load(target_->segment_->header.event_bell);
        const Found found = look();
        if (found == Found::kEvent) return Outcome::kEvent;
        if (found == Found::kLost) return Outcome::kLost;
        // Looked once more after it was found dead: nothing is left.
        if (!alive && found == Found::kNothing) return Outcome::kGone;
        const uint64_t now = sys::monotonic_ns();
        if (now - renewed_ns_ >= kRenewNs) renew(now);
        if (now - checked_ns_ >= kAliveCheckNs) {
            checked_ns_ = now;
            alive = target_->runs_this();
            if (!alive) continue;
        }
        if (now - begin >= limit) return Outcome::kTimedOut;
        const uint64_t sleep = std::min(limit - (now - begin), kAliveCheckNs);
        if (sys::futex_wait(&target_->segment_->header.event_bell, bell,
                            static_cast<int64_t>(sleep)) == -EINTR) {
            return Outcome::kInterrupted;
        }
    }
}

}  // namespace mpol::control

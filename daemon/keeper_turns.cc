// SPDX-License-Identifier: Apache-2.0
// Whose turn it is.
#include <algorithm>
#include <ctime>

#include "daemon/keeper.h"
#include "daemon/turn.h"
#include "sys/sys.h"

namespace mpol::daemon {
namespace {

// What nothing tells is looked at that often.
constexpr uint64_t kLookNs = 1'000'000'000;
// Another writer holds its lock for microseconds, a hostile one for ever.
constexpr uint64_t kBusyNs = 5'000'000;
constexpr unsigned kBusyDoublings = 8;

}  // namespace

void Keeper::look_later(Kept& kept, uint64_t at_ns) {
    if (kept.later_at_ns != 0 && kept.later_at_ns <= at_ns) return;
    kept.later_at_ns = at_ns;
    later_.emplace(at_ns, kept.pid);
    later_timer_.set_by_ns(at_ns);
}

Clocks Keeper::clocks() {
    return {sys::monotonic_ns(), sys::thread_cpu_ns()};
}

void Keeper::spend(Kept& kept, const Clocks& from) {
    const Clocks now = clocks();
    const uint64_t now_ns = now.monotonic_ns;
    kept.share.spend(from, now);
    if (kept.busy > 0) {
        look_later(kept, now_ns + (kBusyNs << std::min(kept.busy - 1, kBusyDoublings)));
    } else if (kept.changes_by_itself) {
        look_later(kept, now_ns + kLookNs);
    }
}

void Keeper::enqueue(Kept& kept) {
    if (kept.queued) return;
    kept.queued = true;
    const uint64_t now_ns = sys::monotonic_ns();
    const uint64_t at_ns = kept.share.may_at_ns(now_ns);
    if (at_ns > now_ns) return look_later(kept, at_ns);
    queue_.push_back(kept.pid);
    sd_event_source_set_enabled(turn_.get(), SD_EVENT_ON);
}

int Keeper::on_turn(sd_event_source*, void* opaque) {
    static_cast<Keeper*>(opaque)->run_queue();
    return 0;
}

void Keeper::run_queue() {
    const Turn turn(sys::monotonic_ns);
    while (!queue_.empty() && !turn.is_over()) {
        Kept* const kept = find(queue_.front());
        queue_.pop_front();
        if (kept == nullptr || !kept->queued) continue;
        evaluate(*kept, turn.begin_ns());
    }
    if (queue_.empty()) sd_event_source_set_enabled(turn_.get(), SD_EVENT_OFF);
}

void Keeper::run_later() {
    do_what_is_due(later_, sys::monotonic_ns, [this](auto due) {
        Kept* const kept = find(due.mapped());
        if (kept == nullptr || kept->later_at_ns != due.key()) return;
        kept->later_at_ns = 0;
        kept->queued = true;
        queue_.push_back(kept->pid);
        sd_event_source_set_enabled(turn_.get(), SD_EVENT_ON);
    });
    if (!later_.empty()) later_timer_.set_at_ns(later_.begin()->first);
}

void Keeper::look_again() {
    for (const auto& [pid, kept] : kept_) enqueue(*kept);
    plan_schedule();
}

void Keeper::machine_changed(const MachineChange& change, const rules::Topology& topology) {
    topology_ = topology;
    if (change.topology || change.cpus) return look_again();
    for (const pid_t pid : change.processes) {
        if (Kept* const kept = find(pid); kept != nullptr) enqueue(*kept);
    }
}

// The next minute at which some rule's window begins or ends; at midnight days change.
void Keeper::plan_schedule() {
    schedule_timer_.stop();
    const auto set = book_.rules();
    if (!set->scheduled) return;
    const rules::Moment now = rules::local_moment();
    unsigned next = rules::kMinutesOfDay;
    for (const rules::Rule& rule : set->compiled.rules) {
        for (const rules::Window& window : rule.schedule) {
            for (const unsigned minute : {window.from, window.to}) {
                if (minute > now.minute) next = std::min(next, minute);
            }
        }
    }
    const auto second = static_cast<uint64_t>(std::time(nullptr));
    const uint64_t minute_began = second - second % 60;
    schedule_timer_.set_at_ns((minute_began + (next - now.minute) * uint64_t{60}) * 1'000'000'000);
}

}  // namespace mpol::daemon

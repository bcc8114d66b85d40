// SPDX-License-Identifier: Apache-2.0
// Coming and going.
#include "daemon/keeper.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <new>

#include "control/proc.h"
#include "daemon/api/access.h"
#include "daemon/turn.h"
#include "sys/sys.h"

namespace mpol::daemon {
namespace {

// When a process that has a new program, or is a new copy, and has not knocked, is looked at: its
// first allocation comes within a millisecond or two, on a busy machine later.
constexpr uint64_t kProbeAfterNs[] = {5'000'000, 50'000'000, 500'000'000};
constexpr unsigned kProbes = sizeof(kProbeAfterNs) / sizeof(kProbeAfterNs[0]);
// More at once are looked for in /proc instead.
constexpr size_t kProbesMax = 8192;
// Those beyond are not counted.
constexpr size_t kLeftOutMax = 65536;
// Remembered at once; then all are new again.
constexpr size_t kStrangersMax = 1024;
constexpr uint64_t kLooksApartNs = 1'000'000'000;

Descriptor pidfd_of(pid_t pid) {
    return Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

bool has_exited(const Descriptor& pidfd) {
    pollfd one{pidfd.get(), POLLIN, 0};
    return ::poll(&one, 1, 0) != 0;
}

}  // namespace

Keeper::Keeper(sd_event* loop, const RuleBook& book, AuditLog& log, uint64_t descriptors)
    : loop_(loop),
      book_(book),
      log_(log),
      topology_(rules::read_topology()),
      budget_(descriptors),
      around_timer_(loop, CLOCK_MONOTONIC, [this] { look_around(); }),
      probe_timer_(loop, CLOCK_MONOTONIC, [this] { run_probes(); }),
      later_timer_(loop, CLOCK_MONOTONIC, [this] { run_later(); }),
      pending_timer_(loop, CLOCK_MONOTONIC, [this] { check_pending(); }),
      schedule_timer_(loop, CLOCK_REALTIME, [this] { look_again(); }) {
    sd_event_source* source = nullptr;
    if (sd_event_add_defer(loop, &source, on_turn, this) < 0) throw std::bad_alloc();
    turn_.reset(source);
    // After whatever else there is to do.
    sd_event_source_set_priority(source, SD_EVENT_PRIORITY_IDLE);
    sd_event_source_set_enabled(source, SD_EVENT_OFF);
}

Kept* Keeper::find(pid_t pid) const {
    const auto found = kept_.find(pid);
    return found == kept_.end() ? nullptr : found->second.get();
}

void Keeper::arrived(pid_t pid, Descriptor pidfd) {
    Kept* const kept = find(pid);
    if (kept == nullptr) return meet(pid, std::move(pidfd));
    const uint64_t now_ns = sys::monotonic_ns();
    kept->renewed = true;
    if (kept->queued || kept->share.may_at_ns(now_ns) > now_ns) return enqueue(*kept);
    evaluate(*kept, now_ns);
}

// Who knocks and has nothing to show is not listened to for long, but looked at once more: by then
// it may be another program.
void Keeper::meet(pid_t pid, Descriptor pidfd) {
    const Clocks now = clocks();
    if (const auto known = strangers_.find(pid); known != strangers_.end()) {
        Stranger& stranger = known->second;
        const uint64_t may_ns = stranger.share.may_at_ns(now.monotonic_ns);
        if (may_ns > now.monotonic_ns) {
            if (!stranger.awaited) probe_in(may_ns - now.monotonic_ns, {pid, kProbes - 1});
            stranger.awaited = true;
            return;
        }
        stranger.awaited = false;
    }
    if (!pidfd) pidfd = pidfd_of(pid);
    if (!pidfd || attach(pid, std::move(pidfd))) return;
    if (strangers_.size() >= kStrangersMax) strangers_.clear();
    strangers_[pid].share.spend(now, clocks());
}

// False: it has no segment (yet), or there is no room for it.
bool Keeper::attach(pid_t pid, Descriptor pidfd) {
    const uint64_t now_ns = sys::monotonic_ns();
    auto target = control::Target::attach(pid, control::Access::kWrite);
    // Of the process that the pidfd is of, if that lives still.
    if (!target || has_exited(pidfd)) return false;
    if (budget_.is_full()) {
        leave_out(pid);
        return false;
    }
    auto kept = std::make_unique<Kept>();
    kept->keeper = this;
    kept->pid = pid;
    kept->uid = owner_of(pid).value_or(0);
    kept->pidfd = std::move(pidfd);
    kept->target.emplace(std::move(*target));
    // What a process's segment says concerns no other user's.
    const Kept* const parent = find(control::parent_of(pid).value_or(0));
    if (parent != nullptr && parent->uid == kept->uid) {
        kept->inherited = before_of(*kept->target, parent->hands_on);
    }
    sd_event_source* source = nullptr;
    if (sd_event_add_io(loop_, &source, kept->pidfd.get(), EPOLLIN, on_exit, kept.get()) < 0) {
        return false;
    }
    kept->exit_source.reset(source);
    budget_.add_process();
    kept->keeps_descriptor = budget_.keep_segment();
    follow(pid, true);  // First: what changes while it is looked at is heard of.
    Kept& placed = *(kept_[pid] = std::move(kept));
    evaluate(placed, now_ns);
    return true;
}

void Keeper::follow(pid_t pid, bool followed) const {
    if (following_) following_(pid, followed);
}

void Keeper::leave_out(pid_t pid) {
    const bool first = left_out_.empty();
    if (left_out_.size() < kLeftOutMax) left_out_.insert(pid);
    if (!first) return;
    LogEntry entry;
    entry.event = "full";
    entry.by = "mpold";
    entry.why = fmt::format(
        "{} descriptors suffice for {} processes; others are left out until some end "
        "(RLIMIT_NOFILE, LimitNOFILE= of the unit)",
        budget_.limit(), kept_.size());
    log_.add(std::move(entry));
}

// Its segment is another one when it has executed a program.
void Keeper::renew(Kept& kept) {
    kept.renewed = false;
    auto target = control::Target::attach(kept.pid, control::Access::kWrite);
    kept.target.reset();
    if (!target) return;
    kept.target.emplace(std::move(*target));
    kept.inherited = before_of(*kept.target, kept.hands_on);
}

int Keeper::on_exit(sd_event_source*, int, uint32_t, void* opaque) {
    auto* const kept = static_cast<Kept*>(opaque);
    kept->keeper->settle_all_of(*kept);  // Its segment can be read still.
    kept->keeper->drop(kept->pid);
    return 0;
}

// Names in the queues are looked up when their turn comes.
void Keeper::drop(pid_t pid) {
    const auto found = kept_.find(pid);
    if (found == kept_.end()) return;
    budget_.drop_process(found->second->keeps_descriptor);
    kept_.erase(found);
    follow(pid, false);
    if (machine_ != nullptr) machine_->forget(pid);
    if (left_out_.empty() || !budget_.has_room()) return;
    left_out_.clear();
    look_around_soon();
}

void Keeper::happened(const ProcessEvent& event) {
    Kept* const kept = find(event.pid);
    switch (event.kind) {
        case ProcessEventKind::kFork:
            if (find(event.parent) != nullptr) probe_in(kProbeAfterNs[0], {event.pid, 0});
            break;
        case ProcessEventKind::kExec:
            if (kept != nullptr) {
                settle_all_of(*kept);
                kept->target.reset();
            }
            probe_in(kProbeAfterNs[0], {event.pid, 0});
            break;
        case ProcessEventKind::kExit:
            break;  // The pidfd tells it of those who are kept.
        case ProcessEventKind::kRename:
        case ProcessEventKind::kMove:
            if (kept != nullptr) enqueue(*kept);
            break;
    }
}

void Keeper::probe_in(uint64_t delay_ns, const Probe& probe) {
    if (probes_.size() >= kProbesMax) {
        ++lost_probes_;
        return;
    }
    const uint64_t at_ns = sys::monotonic_ns() + delay_ns;
    probes_.emplace(at_ns, probe);
    probe_timer_.set_by_ns(at_ns);
}

void Keeper::try_to_attach(const Probe& probe) {
    Kept* const kept = find(probe.pid);
    if (kept != nullptr && kept->target) return;
    if (kept != nullptr) {
        kept->renewed = true;
        enqueue(*kept);
    } else {
        Descriptor pidfd = pidfd_of(probe.pid);
        if (!pidfd || attach(probe.pid, std::move(pidfd))) return;
    }
    if (probe.tries + 1 >= kProbes) return;
    probe_in(kProbeAfterNs[probe.tries + 1], {probe.pid, probe.tries + 1});
}

void Keeper::run_probes() {
    do_what_is_due(probes_, sys::monotonic_ns, [this](auto due) { try_to_attach(due.mapped()); });
    if (!probes_.empty()) {
        probe_timer_.set_at_ns(probes_.begin()->first);
    } else if (lost_probes_ > 0) {
        lost_probes_ = 0;
        look_around();
    }
}

void Keeper::look_around_soon() {
    around_timer_.set_by_ns(std::max(may_look_ns_, sys::monotonic_ns()));
}

void Keeper::look_around() {
    may_look_ns_ = sys::monotonic_ns() + kLooksApartNs;
    for (const pid_t pid : control::all_processes()) {
        // At once, and once more: it may be about to have its segment.
        if (find(pid) == nullptr) probe_in(0, {pid, kProbes - 2});
    }
}

}  // namespace mpol::daemon

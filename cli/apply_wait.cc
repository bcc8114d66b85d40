// SPDX-License-Identifier: Apache-2.0
#include "cli/apply_wait.h"

#include <algorithm>
#include <optional>

#include "cli/target.h"
#include "daemon/enforce.h"
#include "sys/sys.h"

namespace mpol::cli {
namespace {

// What is left of a time that all share; 0: to look once, without waiting.
class Deadline {
  public:
    explicit Deadline(int timeout_ms)
        : at_ns_(sys::monotonic_ns() + static_cast<uint64_t>(timeout_ms) * 1'000'000) {}
    [[nodiscard]] int left_ms() const {
        const uint64_t now_ns = sys::monotonic_ns();
        return static_cast<int>((at_ns_ - std::min(at_ns_, now_ns)) / 1'000'000);
    }

  private:
    uint64_t at_ns_;
};

// One that nobody has waited for yet is there still, without a segment.
bool has_ended(pid_t pid) {
    const char state = state_of(pid);
    return state == '\0' || state == 'Z' || state == 'X';
}

// One target after the other: there may be thousands. A process's rows are next to each other.
class Targets {
  public:
    // nullptr: row.change.why says why not, or the process has ended.
    control::Target* of(AppliedRow& row, bool& ret_ended) {
        if (target_ && target_->pid() == row.change.pid) return &*target_;
        target_.reset();
        auto target = control::Target::attach(row.change.pid, control::Access::kRead);
        if (target) return &target_.emplace(std::move(*target));
        ret_ended = has_ended(row.change.pid);
        row.change.why = target.error().what;
        return nullptr;
    }

  private:
    std::optional<control::Target> target_;
};

void note_refusal(AppliedRow& row, const control::Published& asked, int err) {
    const bool superseded = asked.readable && asked.generation > row.change.generation;
    if (!row.applied || err == 0 || superseded) return;
    row.change.done = false;
    row.change.why = daemon::refusal_words(err);
}

// False: it has ended.
bool wait_for(AppliedRow& row, Targets& targets, uint64_t since_ns, const Deadline& deadline) {
    bool ended = false;
    const control::Target* const target = targets.of(row, ended);
    if (target == nullptr) return !ended;
    const uint64_t generation = row.change.generation;
    if (row.change.tid == 0) {
        row.applied = target->wait_process(generation, deadline.left_ms());
        if (!row.applied && !target->alive()) return false;
        const control::ProcessState state = target->process();
        row.helper = (state.status & MPOL_CTL_STATUS_HELPER) != 0;
        note_refusal(row, state.asked, state.applied_errno);
    } else {
        const auto slot = target->slot_of(row.change.tid);
        if (!slot) return false;
        row.applied = target->wait_thread(*slot, generation, deadline.left_ms());
        const auto thread = target->thread(*slot);
        if (!thread) return false;
        note_refusal(row, thread->asked, thread->applied_errno);
    }
    row.latency_ns = sys::monotonic_ns() - since_ns;
    const char state = state_of(row.change.pid);
    row.stopped = state == 'T' || state == 't';
    return true;
}

}  // namespace

void wait_until_applied(std::vector<AppliedRow>& rows, uint64_t since_ns, int timeout_ms) {
    Targets targets;
    const Deadline deadline(timeout_ms);
    std::erase_if(rows, [&](AppliedRow& row) {
        return row.published() && !wait_for(row, targets, since_ns, deadline);
    });
    // Threads that run make an allocator call within a moment; those that don't are named.
    const Deadline caught_up(std::min(kCatchUpMs, timeout_ms));
    for (AppliedRow& row : rows) {
        bool ended = false;
        if (!row.published() || !row.applied || row.change.tid != 0) continue;
        const control::Target* const target = targets.of(row, ended);
        if (target == nullptr) continue;
        (void)target->wait_all_threads(row.change.generation, caught_up.left_ms());
        row.behind = threads_behind(*target, row.change.generation);
    }
}

}  // namespace mpol::cli

// SPDX-License-Identifier: Apache-2.0
// The writing half of process.h.
#include <atomic>
#include <cerrno>
#include <optional>

#include "control/proc.h"
#include "fs/policy_text.h"
#include "fs/process.h"
#include "policy/contextualise.h"
#include "task/machine.h"

namespace mpol::fs {
namespace {

using control::Target;

// An honest writer holds the lock for microseconds, and this caller is not to be kept by another.
constexpr int kLockMs = 200;
// A target that runs acts within a few milliseconds; one that sleeps need not act at all.
constexpr int kApplyMs = 2000;
// For one that has not even acted on the policy before. The kernel lets one writer at a time into a
// file, so whoever writes again and again to a sleeping target would keep the others out.
constexpr int kApplyBehindMs = 100;
// Writers that wait at once, half of MPOL_FS_THREADS in main.cc: whoever writes to sleeping targets
// never takes all of the daemon's threads from the others. Beyond it nobody waits.
constexpr unsigned kWaitersMax = 16;

std::atomic<unsigned> waiters{0};

class Waiting {
  public:
    explicit Waiting(bool behind) {
        const bool many = waiters.fetch_add(1, std::memory_order_relaxed) >= kWaitersMax;
        timeout_ms_ = many ? 0 : behind ? kApplyBehindMs : kApplyMs;
    }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;
    ~Waiting() { waiters.fetch_sub(1, std::memory_order_relaxed); }
    [[nodiscard]] int timeout_ms() const { return timeout_ms_; }

  private:
    int timeout_ms_ = 0;
};

Outcome<Policy> parse(pid_t pid, std::string_view text) {
    const auto policy =
        parse_written(text, task::node_list("has_memory"), task::kernel_modes().mode_count);
    if (!policy) return tl::unexpected(EINVAL);
    const auto allowed = allowed_nodes(pid);
    if (!allowed) return tl::unexpected(allowed.error());
    NodeMask effective;
    if (contextualise(*policy, *allowed, effective) != 0) return tl::unexpected(EINVAL);
    return *policy;
}

// Publishing records the calling thread's effective user as who did it: within ActAs, the caller.

int write_for_process(Target& target, const Policy& policy) {
    const control::ProcessState before = target.process();
    const auto generation = target.publish_process(policy, kLockMs);
    if (!generation) return errno_of(generation.error());
    const Waiting waiting(before.applied < before.asked.generation);
    if (!target.wait_process(*generation, waiting.timeout_ms())) return target.alive() ? 0 : ESRCH;
    const control::ProcessState after = target.process();
    // A later writer's errno is for the later writer.
    return after.asked.generation == *generation ? after.applied_errno : 0;
}

int write_for_thread(Target& target, pid_t tid, const Policy& policy) {
    const auto slot = target.slot_of(tid);
    if (!slot) return slot.error().err;
    const auto before = target.thread(*slot);
    if (!before) return ESRCH;
    const auto generation = target.publish_thread(*slot, policy, kLockMs);
    if (!generation) return errno_of(generation.error());
    const Waiting waiting(before->asked.set && before->applied < before->asked.generation);
    const bool applied = target.wait_thread(*slot, *generation, waiting.timeout_ms());
    const auto after = target.thread(*slot);
    if (!target.alive() || !after) return ESRCH;
    return applied && after->asked.generation == *generation ? after->applied_errno : 0;
}

}  // namespace

int write_policy(const Caller& caller, const Node& node, std::string_view text) {
    auto target = attach(caller, node.pid, control::Access::kWrite);
    if (!target) return target.error();
    const Outcome<Policy> policy = parse(node.pid, text);
    if (!policy) return policy.error();
    target->set_writer(control::process_of(caller.tid).value_or(0));
    return node.kind == Kind::kProcessPolicy ? write_for_process(*target, *policy)
                                             : write_for_thread(*target, node.tid, *policy);
}

}  // namespace mpol::fs

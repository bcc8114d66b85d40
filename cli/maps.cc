// SPDX-License-Identifier: Apache-2.0
// The heap of a process, region by region. But for the residency, what it does is proportional to
// the number of regions.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <map>

#include "cli/machine.h"
#include "cli/residency.h"
#include "cli/target.h"
#include "cli/verbs.h"
#include "control/pages.h"
#include "control/proc.h"
#include "policy/contextualise.h"
#include "policy/weights.h"

namespace mpol::cli {
namespace {

using control::RegionState;

// User addresses of every x86-64 process end below, with five levels of page tables too.
constexpr uint64_t kAddressesEnd = uint64_t{1} << 56;
// jemalloc has at most so many arenas, one for each scope.
constexpr uint32_t kScopesMax = 4094;

// Where a process can't lie about itself without being found out; what it can lie about is
// harmless.
bool is_plausible(const RegionState& state) {
    return state.start % control::kPageBytes == 0 && state.size % control::kPageBytes == 0 &&
           state.size <= kAddressesEnd && state.start <= kAddressesEnd - state.size &&
           state.scope < kScopesMax;
}

// What regions are asked to follow, and who asks.
struct Owner {
    pid_t tid = 0;  // 0: the process
    const control::Published* asked = nullptr;
    uint64_t applied = 0;
    int err = 0;
};

class Owners {
  public:
    explicit Owners(const control::Target& target)
        : target_(target), process_(target.process()), threads_(target.threads()) {
        for (const control::KindState& kind : target.kinds()) {
            if (kind.scope != 0) large_ = kind;
        }
        for (const control::ThreadState& thread : threads_) {
            if (thread.scope != 0) by_scope_.emplace(thread.scope, &thread);
            if (thread.large() && thread.large()->scope != 0) {
                by_large_scope_.emplace(thread.large()->scope, &thread);
            }
        }
    }

    void describe(RegionView& region, const NodeMask& allowed) {
        const Owner process = {0, &process_.asked, process_.applied, process_.applied_errno};
        const auto found = by_scope_.find(region.state.scope);
        const auto large = by_large_scope_.find(region.state.scope);
        if (region.state.scope == 0) {
            follow(region, process, allowed);
        } else if (large_ && large_->scope == region.state.scope) {
            region.scope = RegionView::Scope::kLarge;
            const Owner own = {0, &large_->asked, large_->applied, large_->applied_errno};
            follow(region, large_->asked.set ? own : process, allowed);
        } else if (large != by_large_scope_.end()) {
            const control::ThreadState& thread = *large->second;
            region.scope = RegionView::Scope::kLarge;
            region.tid = outer_tid(thread.tid);
            follow(region, owner_of_large(region.tid, thread, process), allowed);
        } else if (found == by_scope_.end()) {
            region.scope = RegionView::Scope::kWaiting;
            take_bound(region);
        } else {
            const control::ThreadState& thread = *found->second;
            region.scope = RegionView::Scope::kThread;
            region.tid = outer_tid(thread.tid);
            follow(region, owner_of(region.tid, thread, process), allowed);
            region.applied = region.applied && thread.applied >= thread.asked.generation;
        }
    }

  private:
    static Owner owner_of(pid_t tid, const control::ThreadState& thread, const Owner& process) {
        if (!thread.asked.set) return process;
        return {tid, &thread.asked, thread.applied, thread.applied_errno};
    }

    static Owner owner_of_large(pid_t tid, const control::ThreadState& thread,
                                const Owner& process) {
        const control::KindState& large = *thread.large();
        if (!thread.asked.set || !large.asked.set) return owner_of(tid, thread, process);
        return {tid, &large.asked, large.applied, large.applied_errno};
    }

    static void take_bound(RegionView& region) {
        if (!region.state.bound) return;
        const Policy& bound = region.state.bound->policy;
        region.effective = bound;
        region.effective_whole = region.state.bound->whole;
    }

    void follow(RegionView& region, const Owner& owner, const NodeMask& allowed) {
        const control::Published& asked = *owner.asked;
        region.err = owner.err != 0 ? owner.err : region.state.applied_errno;
        region.applied = owner.applied >= asked.generation && region.err == 0 && asked.readable;
        if (asked.set) region.asked = asked.policy;
        // A region that is not bound is placed by the task policy of whoever touches it.
        if (!asked.set && owner.tid == 0) region.asked = process_.inherited;
        take_bound(region);
        if (region.state.bound || !process_.inherited || (asked.set && region.applied)) return;
        NodeMask nodes;
        if (contextualise(*process_.inherited, allowed, nodes) != 0) return;
        region.effective = process_.inherited;
        region.effective->nodes = nodes;
    }

    // One look into /proc for each scope, however many regions it has.
    pid_t outer_tid(pid_t inner) {
        const auto [at, fresh] = outer_tids_.try_emplace(inner, 0);
        if (fresh) at->second = target_.outer_tid(inner);
        return at->second;
    }

    const control::Target& target_;
    control::ProcessState process_;
    std::vector<control::ThreadState> threads_;
    std::optional<control::KindState> large_;
    std::map<uint32_t, const control::ThreadState*> by_scope_;
    std::map<uint32_t, const control::ThreadState*> by_large_scope_;
    std::map<pid_t, pid_t> outer_tids_;
};

MapsView view_of_regions(const control::Target& target, const NodeMask& allowed) {
    MapsView view;
    view.pid = target.pid();
    view.comm = comm_of(view.pid);
    view.unmanaged_bytes = target.counter(MPOL_CTL_UNMANAGED_BYTES);
    Owners owners(target);
    for (const RegionState& state : target.regions()) {
        RegionView region;
        region.state = state;
        region.plausible = is_plausible(state);
        owners.describe(region, allowed);
        if (region.plausible) {
            view.reserved_bytes += state.size;
            view.committed_bytes += state.committed;
            view.carved_bytes += state.carved;
        }
        view.regions.push_back(std::move(region));
    }
    return view;
}

// The kernel finds memory through any thread but one that has exited, as a main thread may.
pid_t task_of(const control::Target& target) {
    if (state_of(target.pid()) != 'Z') return target.pid();
    const auto threads = target.threads();
    return threads.empty() ? target.pid() : target.outer_tid(threads.front().tid);
}

tl::unexpected<Error> not_attached(const control::Failure& failure, pid_t pid) {
    if (failure.err != ENODEV) return failed(failure);
    return failed(
        ENODEV, failure.what,
        fmt::format("mpol get {} shows what the kernel tells of it; to have regions, start "
                    "it with: mpol run -- COMMAND",
                    pid));
}

}  // namespace

Result<Answer> maps(const Arguments& arguments) {
    const Result<TargetName> name = parse_target(arguments.target);
    if (!name) return tl::unexpected(name.error());
    if (name->tid) {
        return misused("regions are shown of a whole process",
                       fmt::format("mpol maps {}", name->pid));
    }
    if (arguments.exact && arguments.no_residency) {
        return misused("--exact and --no-residency exclude each other", "mpol maps --help");
    }
    const auto target = control::Target::attach(name->pid, control::Access::kRead);
    if (!target) return not_attached(target.error(), name->pid);
    const Machine machine = read_machine();
    const NodeMask allowed =
        control::mems_allowed(name->pid).value_or(machine.has_memory) & machine.has_memory;
    MapsView view = view_of_regions(*target, allowed);
    if (!arguments.no_residency) {
        const auto counted = count_residency(view, task_of(*target), machine, arguments.exact);
        if (!counted) return tl::unexpected(counted.error());
    }
    return Answer{Status::kOk, std::move(view)};
}

}  // namespace mpol::cli

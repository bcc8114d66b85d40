// SPDX-License-Identifier: Apache-2.0
#include "heap/mover.h"

#include <algorithm>
#include <cerrno>
#include <climits>

#include "heap/huge_pages.h"
#include "sys/fail_point.h"
#include "sys/sys.h"

namespace mpol::heap {
namespace {

// No node and no errno: what the kernel has not written.
constexpr int kUnwritten = INT_MIN;

uintptr_t number_of(const void* address) {
    return reinterpret_cast<uintptr_t>(address);
}

}  // namespace

void Tally::fail(uint64_t bytes, int err) {
    const mpol_ctl_migration_failure reason = failure_of(err);
    failed[reason] += bytes;
    if (reason == MPOL_CTL_MIGRATION_OTHER) last_error = err;
}

// --- Taking up

int Mover::take_up(uintptr_t start, uintptr_t end) {
    unsigned asked = 0;
    for (uintptr_t at = start; at < end && asked < kPagesPerHuge; at += kPageBytes) {
        address_[asked++] = reinterpret_cast<void*>(at);
    }
    count_ = first_ = busy_count_ = 0;
    whole_ = false;
    full_ = {};
    int err = fail_point(sys::FailPoint::kMigrateQuery);
    if (err == 0) err = sys::move_pages(asked, address_, nullptr, node_);
    if (err < 0) return err;
    for (unsigned i = 0; i < asked; ++i) {
        if (node_[i] < 0 || node_[i] >= static_cast<int>(kMaxNodes)) continue;  // Not present.
        address_[count_] = address_[i];
        node_[count_++] = node_[i];
    }
    std::fill_n(alone_, count_, false);
    return 0;
}

bool Mover::fills_a_huge_page() const {
    return count_ == kPagesPerHuge && number_of(address_[0]) % kHugeBytes == 0 &&
           std::all_of(node_, node_ + count_, [&](int node) { return node == node_[0]; });
}

int Mover::destination_of(unsigned i, bool huge) const {
    const PagePlace place{.address = number_of(address_[i]),
                          .node = static_cast<unsigned>(node_[i]),
                          .huge = huge,
                          .short_index = short_index_};
    return destination(binding_, place, *weights_, full_);
}

void Mover::plan_pages(Tally& tally) {
    for (unsigned i = 0; i < count_; ++i) {
        home_[i] = node_[i] < 0 ? kAnyNode : destination_of(i, false);
        if (node_[i] >= 0 && home_[i] == kAnyNode) tally.placed += kPageBytes;
    }
    while (first_ < count_ && home_[first_] == kAnyNode) ++first_;
}

// Where the kernel doesn't tell, the first page that has to move as a base page is the trial: if
// all follow it, it was a huge page.
void Mover::plan_whole(Tally& tally) {
    const Huge huge = huge_page_at(number_of(address_[0]));
    if (huge == Huge::kYes) {
        trial_ = 0;
        to_ = destination_of(0, true);
        whole_ = surely_huge_ = to_ != kAnyNode;
        first_ = count_;
        if (!whole_) tally.placed += kHugeBytes;
        return;
    }
    plan_pages(tally);
    if (huge == Huge::kNo || first_ == count_) return;
    tally.placed -= static_cast<uint64_t>(std::count(home_, home_ + count_, kAnyNode)) * kPageBytes;
    trial_ = first_;
    to_ = home_[first_];
    whole_ = true;
    surely_huge_ = false;
}

int Mover::load(uintptr_t start, uintptr_t end, const Binding& binding,
                const KernelWeights& weights, Tally& tally) {
    binding_ = binding;
    weights_ = &weights;
    last_try_ = false;
    const int err = take_up(start, end);
    if (err != 0) return err;
    if (fills_a_huge_page()) {
        plan_whole(tally);
    } else {
        plan_pages(tally);
    }
    return 0;
}

int Mover::load_again(uintptr_t busy, const Binding& binding, const KernelWeights& weights,
                      Tally& tally) {
    const bool huge = (busy & 1) != 0;
    const uintptr_t start = busy & ~uintptr_t{1};
    const int err = load(start, start + (huge ? kHugeBytes : kPageBytes), binding, weights, tally);
    last_try_ = true;
    return err;
}

// --- Base pages

// The next pages that have to go to the same node; how many.
unsigned Mover::collect(unsigned limit) {
    const int to = home_[first_];
    unsigned count = 0;
    for (unsigned i = first_; i < count_ && count < limit; ++i) {
        if (home_[i] != to || (alone_[i] && i != first_)) continue;
        index_[count] = i;
        batch_[count] = address_[i];
        nodes_[count] = to;
        status_[count] = kUnwritten;
        ++count;
        if (alone_[i]) break;
    }
    return count;
}

// Nobody has room for more on that node: pages that may go elsewhere do, and the others stay.
void Mover::give_up_node(int to, Tally& tally) {
    full_.set(static_cast<unsigned>(to));
    for (unsigned i = first_; i < count_; ++i) {
        if (home_[i] != to) continue;
        home_[i] =
            takes_any_of_its_nodes(binding_.policy.mode) ? destination_of(i, false) : kAnyNode;
        if (home_[i] == kAnyNode) tally.fail(kPageBytes, -ENOMEM);
    }
}

void Mover::refuse(unsigned i, int err, Tally& tally) {
    if (failure_of(err) == MPOL_CTL_MIGRATION_NO_MEMORY) return give_up_node(home_[i], tally);
    home_[i] = kAnyNode;
    if (failure_of(err) == MPOL_CTL_MIGRATION_BUSY && !last_try_ && busy_count_ < kPagesPerHuge) {
        busy_[busy_count_++] = number_of(address_[i]);
    } else {
        tally.fail(kPageBytes, err);
    }
}

// What became of each page of the batch: the kernel's word where it gave one, else where they lie.
void Mover::settle(unsigned count, int to, int result, Tally& tally) {
    const bool clear = result == 0 && std::all_of(status_, status_ + count,
                                                  [&](int status) { return status == to; });
    // A page of a larger one that was moved as a whole reports EBUSY, and is where it belongs.
    if (clear || sys::move_pages(count, batch_, nullptr, nodes_) < 0) {
        std::fill_n(nodes_, count, clear ? to : -ENOENT);
    }
    for (unsigned k = 0; k < count; ++k) {
        // Below zero: given back meanwhile.
        if (nodes_[k] != to && nodes_[k] >= 0) continue;
        home_[index_[k]] = kAnyNode;
        if (nodes_[k] == to) tally.moved += kPageBytes;
    }
    for (unsigned k = 0; k < count; ++k) {
        const unsigned i = index_[k];
        if (home_[i] != to) continue;  // Settled, or given another one.
        if (status_[k] != kUnwritten) {
            // A node: it was moved, and by somebody else again.
            refuse(i, status_[k] < 0 ? status_[k] : -EBUSY, tally);
        } else if (result < 0 || count == 1) {
            refuse(i, result < 0 ? result : -EBUSY, tally);
        } else {
            alone_[i] = true;
        }
    }
}

int Mover::run_batch(unsigned limit, Tally& tally, unsigned& ret_pages) {
    if (whole_) return run_whole(tally, ret_pages);
    const int to = home_[first_];
    const unsigned count = ret_pages = collect(std::min(limit, kPagesPerHuge));
    int result = sys::fallible(sys::FailPoint::kMigrateMove,
                               [&] { return sys::move_pages(count, batch_, nodes_, status_); });
    (void)fail_point(sys::FailPoint::kMigrateMoved);
    if (result == -EPERM || result == -ENOSYS) return result;
    // Of the call as a whole it says that the process's cpuset leaves the node out.
    if (result == -EACCES) result = -ENODEV;
    settle(count, to, result, tally);
    while (first_ < count_ && home_[first_] == kAnyNode) ++first_;
    return 0;
}

// --- Huge pages

void Mover::refuse_whole(int err, Tally& tally) {
    if (err == -ENOMEM && takes_any_of_its_nodes(binding_.policy.mode)) {
        full_.set(static_cast<unsigned>(to_));
        to_ = destination_of(trial_, true);
        if (to_ != kAnyNode) return;
    }
    whole_ = false;
    first_ = count_;
    if (failure_of(err) == MPOL_CTL_MIGRATION_BUSY && !last_try_) {
        busy_[busy_count_++] = number_of(address_[0]) | 1;
    } else {
        tally.fail(kHugeBytes, err);
    }
}

void Mover::not_huge_after_all(Tally& tally) {
    whole_ = false;
    first_ = 0;
    const bool moved = node_[trial_] == to_;
    plan_pages(tally);
    if (!moved || home_[trial_] != kAnyNode) return;
    tally.placed -= kPageBytes;
    tally.moved += kPageBytes;
}

int Mover::run_whole(Tally& tally, unsigned& ret_pages) {
    ret_pages = kPagesPerHuge;
    // The kernel splits a huge page that it finds no room for.
    if (!has_free_huge_pages(to_)) {
        refuse_whole(-ENOMEM, tally);
        return 0;
    }
    int status = kUnwritten;
    int result = sys::fallible(sys::FailPoint::kMigrateMove, [&] {
        return sys::move_pages(1, &address_[trial_], &to_, &status);
    });
    (void)fail_point(sys::FailPoint::kMigrateMoved);
    if (result == -EPERM || result == -ENOSYS) return result;
    if (result == -EACCES) result = -ENODEV;
    const int from = node_[0];
    if (sys::move_pages(count_, address_, nullptr, node_) < 0) std::fill_n(node_, count_, from);
    const bool followed = std::all_of(node_, node_ + count_, [&](int node) { return node == to_; });
    if (followed) {
        to_ = destination_of(0, true);
        trial_ = 0;
        surely_huge_ = true;
        whole_ = to_ != kAnyNode;  // It has moved to where its first page would belong by itself.
        first_ = count_;
        if (!whole_) tally.moved += kHugeBytes;
    } else if (surely_huge_) {
        refuse_whole(status < 0 && status != kUnwritten ? status
                     : result < 0                       ? result
                                                        : -EBUSY,
                     tally);
    } else {
        not_huge_after_all(tally);
    }
    return 0;
}

}  // namespace mpol::heap

// SPDX-License-Identifier: Apache-2.0
// Who hears of region operations: callbacks registered in this process (mpol/notifier.h), and
// outsiders who watch the segment's events. An operation brackets itself with a Notice, inside the
// gate or under the mutex of locks.h; so the list of callbacks changes only when all those are held,
// and is read without a lock.
//
// Costs two loads and two branches when nobody listens.
#pragma once

#include <atomic>
#include <cstddef>

#include "control/segment.h"
#include "mpol/notifier.h"

namespace mpol::heap {

inline constexpr unsigned kNotifiersMax = 16;

// All locks held. -ENOSPC: kNotifiersMax are registered already.
int add_notifier(const mpol_notifier_ops& ops, void* context);
// All locks held. -ENOENT: not registered.
int remove_notifier(const mpol_notifier_ops& ops, void* context);

// The calling thread is inside a callback.
[[nodiscard]] bool in_notifier();

extern std::atomic<unsigned> notifier_count;

[[nodiscard]] inline bool anybody_listens() {
    return notifier_count.load(std::memory_order_relaxed) != 0 ||
           control::load(control::local.header.watch_until_ns) != 0;
}

class Notice {
  public:
    Notice(mpol_event event, const void* start, size_t size)
        : event_(event), start_(start), size_(size) {
        told_ = anybody_listens();
        if (__builtin_expect(told_, 0)) tell(false);
    }
    ~Notice() {
        if (__builtin_expect(told_, 0)) tell(true);
    }
    Notice(const Notice&) = delete;
    Notice& operator=(const Notice&) = delete;

  private:
    [[gnu::cold]] void tell(bool end);

    mpol_event event_;
    const void* start_;
    size_t size_;
    bool told_;  // Both halves or neither.
};

}  // namespace mpol::heap

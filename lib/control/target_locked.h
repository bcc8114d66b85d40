// SPDX-License-Identifier: Apache-2.0
// Target: what its writers share, target_*.cc only.
#pragma once

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <climits>
#include <ctime>

#include "control/attach.h"
#include "sys/fail_point.h"
#include "sys/sys.h"

namespace mpol::control {

using sys::FailPoint;
using sys::fallible_libc;

// A writer holds the lock for microseconds; this is how often a second one looks again.
inline constexpr int64_t kLockRetryNs = 1'000'000;

inline bool is_of(const mpol_ctl_slot& row, ThreadSlot slot) {
    return slot.tid == 0 || static_cast<pid_t>(load(row.tid)) == slot.tid;
}

// Writes one latch; the caller holds the writers' lock and has settled the spare's last owner.
inline bool publish_words(mpol_ctl& segment, uint64_t owner, const SharedLatch& latch,
                          uint64_t seen, bool has_policy, const PolicyWords& words) {
    SharedMemory::store(segment.header.spare_owner, owner);
    return latch_publish(latch, seen, has_policy ? kHasPolicy : 0, words.words);
}

// Backs rows of the segment with memory: they are none before their first use, when asking may fail
// and touching may kill. 0, or -1 and errno.
inline int back_row(int fd, off_t at, off_t size) {
    return fallible_libc(FailPoint::kPublishRow, [&] { return ::fallocate(fd, 0, at, size); });
}

// publish is called with the lock held. With a timeout of 0 it never sleeps.
template <class Publish>
auto Target::locked(int timeout_ms, Publish publish) -> decltype(publish()) {
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    const uint64_t deadline = sys::monotonic_ns() + static_cast<uint64_t>(timeout_ms) * 1'000'000;
    while (fallible_libc(FailPoint::kPublishLock,
                         [&] { return ::fcntl(fd_, F_OFD_SETLK, &lock); }) != 0) {
        if (errno != EAGAIN && errno != EACCES && errno != EINTR) {
            return tl::unexpected(fail(errno, fmt::format("can't lock the control segment of "
                                                          "process {}",
                                                          pid_)));
        }
        if (sys::monotonic_ns() >= deadline) {
            return tl::unexpected(fail(
                EBUSY, fmt::format("another writer holds the control segment of process {}", pid_),
                "try again, or find the holder with: lslocks"));
        }
        const timespec pause{0, kLockRetryNs};
        ::nanosleep(&pause, nullptr);
    }
    (void)sys::fail_point(FailPoint::kPublishLocked);
    SharedLatch unfinished{};
    if (owner_latch(*segment_, load(segment_->header.spare_owner), unfinished)) {
        latch_finish(unfinished);
    }
    auto result = publish();
    (void)sys::fail_point(FailPoint::kPublishRing);
    add(segment_->header.epoch, uint32_t{1});
    (void)sys::fallible(FailPoint::kPublishWake,
                        [&] { return sys::futex_wake(&segment_->header.epoch, INT_MAX); });
    lock.l_type = F_UNLCK;
    (void)sys::fallible_libc(FailPoint::kPublishUnlock,
                             [&] { return ::fcntl(fd_, F_OFD_SETLK, &lock); });
    return result;
}

}  // namespace mpol::control

// SPDX-License-Identifier: Apache-2.0
#include "control/segment.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "sys/fail_point.h"
#include "sys/sys.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef F_SEAL_SEAL
#define F_SEAL_SEAL 0x0001
#define F_SEAL_SHRINK 0x0002
#define F_SEAL_GROW 0x0004
#endif

namespace mpol::control {

using sys::FailPoint;
using sys::fallible;

constexpr size_t kPage = 4096;

extern "C" {
alignas(kPage) __attribute__((visibility("hidden"))) mpol_ctl mpol_segment = {};
}

namespace {

// Above what programs that count on small numbers use, and low enough that the descriptor table
// does not grow much (8 bytes for each number up to the highest).
constexpr uint64_t kDescriptorCeiling = 1024;
constexpr uint64_t kDescriptorHeadroom = 24;
// Beyond the soft limit only where that is no higher than this: 32 KiB of descriptor table.
constexpr uint64_t kSoftLimitMax = 4096;

// Wiped by the kernel in every copy of the process (MADV_WIPEONFORK): 1 in the original only.
alignas(kPage) uint8_t birthmark[kPage];

void mark_birth() {
    // Before Linux 4.14 a copy can't be told from the original; only fork's own handlers help.
    sys::advise(birthmark, kPage, MADV_WIPEONFORK);
    __atomic_store_n(&birthmark[0], uint8_t{1}, __ATOMIC_RELEASE);
}

// The rows that a new segment has in memory before anyone can map it.
constexpr size_t kFirstRows = kPage;

// One call after the other, until one fails.
struct Making {
    int err = 0;
    mpol_ctl_segment_step step = MPOL_CTL_SEGMENT_MEMFD_CREATE;

    // call returns 0 or -errno.
    template <class Call>
    void go_on(mpol_ctl_segment_step next, Call call) {
        if (err != 0) return;
        step = next;
        err = call();
    }
};

void back_and_seal(int fd, Making& making) {
    making.go_on(MPOL_CTL_SEGMENT_FTRUNCATE, [&] {
        return fallible(FailPoint::kSegmentSize,
                        [&] { return sys::truncate(fd, sizeof(mpol_ctl)); });
    });
    const auto back = [&](off_t at, off_t size) {
        making.go_on(MPOL_CTL_SEGMENT_FALLOCATE, [&] {
            return fallible(FailPoint::kSegmentBack, [&] { return sys::allocate(fd, at, size); });
        });
    };
    back(0, MPOL_CTL_SLOTS_OFFSET + kFirstRows);
    back(MPOL_CTL_REGIONS_OFFSET, kFirstRows);
    making.go_on(MPOL_CTL_SEGMENT_ADD_SEALS, [&] {
        return fallible(FailPoint::kSegmentSeal, [&] {
            return sys::add_seals(fd, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
        });
    });
}

int write_whole(int fd, const void* data, size_t size, off_t at) {
    const ssize_t written = sys::write_at(fd, data, size, at);
    if (written < 0) return static_cast<int>(written);
    return static_cast<size_t>(written) == size ? 0 : -EIO;
}

// Errors and the epoch of the private segment go along; the mapping hides them. So do the kinds,
// and what a daemon keeps, of a forked child's parent.
void write_private(int fd, Making& making) {
    const auto write = [&](const void* data, size_t size, off_t at) {
        making.go_on(MPOL_CTL_SEGMENT_PWRITE, [&] { return write_whole(fd, data, size, at); });
    };
    making.go_on(MPOL_CTL_SEGMENT_PWRITE, [&] {
        return fallible(FailPoint::kSegmentWrite,
                        [&] { return write_whole(fd, &local, MPOL_CTL_SLOTS_OFFSET, 0); });
    });
    if (local.header.kinds != 0) write(local.kinds, sizeof(local.kinds), MPOL_CTL_KINDS_OFFSET);
    if (local.header.saved != 0) write(local.saved, sizeof(local.saved[0]), MPOL_CTL_SAVED_OFFSET);
}

void fill_header(mpol_ctl_header& header) {
    header.magic = MPOL_CTL_MAGIC;
    header.abi = MPOL_CTL_ABI;
    header.header_size = sizeof(mpol_ctl_header);
    header.total_size = sizeof(mpol_ctl);
    header.slot_count = MPOL_CTL_SLOTS;
    header.slot_size = sizeof(mpol_ctl_slot);
    header.region_count = MPOL_CTL_REGIONS;
    header.region_size = sizeof(mpol_ctl_region);
    header.error_count = MPOL_CTL_ERRORS;
    header.error_size = sizeof(mpol_ctl_error);
    header.pid = static_cast<uint32_t>(sys::process_id());
    header.start_time = sys::start_time();
}

// The descriptor that publish() left open, and which file it was, for the child of a fork.
constinit int published_fd = -1;
constinit sys::FileId published_file;

// -1: the program has closed it, and may have put its own there.
int own_descriptor() {
    sys::FileId there;
    const bool ours =
        published_fd >= 0 && sys::identify(published_fd, there) == 0 && there == published_file;
    return ours ? published_fd : -1;
}

// A forked child takes the place of its parent's segment, so that chains of forks don't collect
// them.
bool replace_inherited(int fd) {
    if (own_descriptor() < 0) return false;
    const sys::RaisedDescriptorLimit limit(static_cast<uint64_t>(published_fd) + 1);
    return sys::replace(published_fd, fd) == published_fd;
}

// Moves fd out of the way of the program's own numbers: high, and beyond the soft limit, where a
// loop that closes or looks at all descriptors doesn't come by; else high below the limit; the old
// number where there is no room.
int move_high(int fd) {
    if (replace_inherited(fd)) {
        sys::close(fd);
        return published_fd;
    }
    if (fail_point(FailPoint::kSegmentMove) != 0) return fd;
    const uint64_t limit = sys::descriptors_max();
    int high = -1;
    if (limit <= kSoftLimitMax) {
        const uint64_t floor = std::max(limit, kDescriptorCeiling - kDescriptorHeadroom);
        const sys::RaisedDescriptorLimit raised(floor + kDescriptorHeadroom);
        high = sys::duplicate_above(fd, static_cast<int>(floor));
    }
    if (high < 0) {
        const uint64_t ceiling = std::min(limit, kDescriptorCeiling);
        high = sys::duplicate_above(
            fd, static_cast<int>(ceiling > 2 * kDescriptorHeadroom ? ceiling - kDescriptorHeadroom
                                                                   : ceiling / 2));
    }
    if (high < 0) return fd;
    sys::close(fd);
    return high;
}

}  // namespace

int publish() {
    (void)sys::fail_point(FailPoint::kSegmentBirth);
    mark_birth();
    fill_header(local.header);
    int fd = fallible(FailPoint::kSegmentCreate, [] { return sys::memfd(MPOL_CTL_NAME); });
    if (fd < 0) {
        record_error(MPOL_CTL_ERROR_SEGMENT, -fd, MPOL_CTL_SEGMENT_MEMFD_CREATE);
        return fd;
    }
    Making making;
    back_and_seal(fd, making);
    if (making.err == 0) fd = move_high(fd);
    write_private(fd, making);
    making.go_on(MPOL_CTL_SEGMENT_MMAP, [&] {
        return fallible(FailPoint::kSegmentMap,
                        [&] { return sys::map_fixed_shared(&local, sizeof(mpol_ctl), fd); });
    });
    (void)sys::fail_point(FailPoint::kSegmentMade);
    if (making.err == 0) {
        published_fd = fd;
        sys::identify(fd, published_file);
    } else {
        sys::close(fd);
        record_error(MPOL_CTL_ERROR_SEGMENT, -making.err, making.step);
    }
    return making.err;
}

namespace {

// Where memory that is only promised is counted (RLIMIT_DATA, vm.overcommit_memory) private memory
// may be refused; a file's is not counted before it is touched.
void map_file_of_no_name() {
    const int fd = sys::memfd("mpol-private");
    if (fd < 0) return;
    if (sys::truncate(fd, sizeof(mpol_ctl)) == 0) {
        sys::map_fixed_shared(&local, sizeof(mpol_ctl), fd);
    }
    sys::close(fd);
}

}  // namespace

void abandon() {
    const bool refused = sys::fail_point(FailPoint::kForkAbandon) != 0 ||
                         sys::map_fixed_private(&local, sizeof(mpol_ctl)) == MAP_FAILED;
    if (refused) map_file_of_no_name();
    mark_birth();
}

int leave_descriptors() {
    const int keep = own_descriptor();
    const int err = sys::leave_descriptors(keep);
    // The program may have put another file there meanwhile.
    if (err == 0 && keep >= 0 && own_descriptor() < 0) sys::close(keep);
    return err;
}

bool copied() {
    return __atomic_load_n(&birthmark[0], __ATOMIC_ACQUIRE) == 0 && load(local.header.magic) != 0;
}

void record_error(mpol_ctl_error_code code, int err, uint64_t detail0, uint64_t detail1,
                  uint64_t detail2, uint64_t detail3) {
    const uint64_t now = sys::realtime_ns();
    for (mpol_ctl_error& row : local.errors) {
        uint32_t seen = load(row.code);
        if (seen == MPOL_CTL_ERROR_NONE) {
            // Whoever takes the row first fills it in; a second thread with the same error takes
            // the next one, which costs a row and loses nothing.
            if (!__atomic_compare_exchange_n(&row.code, &seen, static_cast<uint32_t>(code), false,
                                             __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
                continue;
            }
            const uint64_t detail[4] = {detail0, detail1, detail2, detail3};
            for (unsigned i = 0; i < 4; ++i) store(row.detail[i], detail[i]);
            store(row.first_ns, now);
            store(row.err, static_cast<uint32_t>(err));
        } else if (seen != static_cast<uint32_t>(code) ||
                   load(row.err) != static_cast<uint32_t>(err)) {
            continue;
        }
        store(row.last_ns, now);
        add(row.count, uint64_t{1});
        return;
    }
}

bool back_rows(const void* first, size_t size) {
    const auto begin = reinterpret_cast<uintptr_t>(first) & ~(kPage - 1);
    const auto end = (reinterpret_cast<uintptr_t>(first) + size + kPage - 1) & ~(kPage - 1);
    const int err = sys::advise(reinterpret_cast<void*>(begin), end - begin, MADV_POPULATE_WRITE);
    // Before Linux 5.14 there is no asking; touching is then the only way.
    return err == 0 || err == -EINVAL;
}

}  // namespace mpol::control

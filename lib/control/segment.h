// SPDX-License-Identifier: Apache-2.0
// The target's own segment. `local` lies in this program's .bss and works from the first
// instruction on; publish() maps a sealed memfd over it, at the same address, and from then on
// others can open it. So no path of the allocator ever follows a pointer to it or asks whether it
// is there, and a process that may not have one works the same, unseen.
//
// Never allocates, prints, exits or throws; errno is preserved.
#pragma once

#include "control/words.h"

namespace mpol::control {

extern "C" [[gnu::visibility("hidden")]] mpol_ctl mpol_segment;

inline constexpr mpol_ctl& local = mpol_segment;

// Fills in the header and makes the segment visible. Called once per process image by the first
// thread to reach the allocator, and again in a forked child after abandon(). Returns 0 or -errno;
// after an error the process goes on with private memory. Not thread-safe.
int publish();

// The calling thread has a table of descriptors of its own from now on, with nothing in it but the
// segment's (sys::leave_descriptors): who may open the segment finds it there (attach.h) when the
// program has closed its own. Returns 0 or -errno.
int leave_descriptors();

// In a forked child: the mapping is the parent's, never to be written. Replaces it by private zero
// pages. Async-signal-safe.
void abandon();

// True when this process image is a copy (fork, or a clone that ran no handlers) of the one that
// last called publish() or abandon(): a page that the kernel wipes on fork tells.
[[nodiscard]] bool copied();

// Records a distinct (code, errno), with a count. Any thread.
void record_error(mpol_ctl_error_code code, int err, uint64_t detail0 = 0, uint64_t detail1 = 0,
                  uint64_t detail2 = 0, uint64_t detail3 = 0);

inline void count(mpol_ctl_counter counter, uint64_t by = 1) {
    add(local.header.counters[counter], by);
}

// Backs rows first..first+n-1 of an array in the segment with memory, so that touching them can't
// raise SIGBUS at a memory limit. False: they must not be touched.
[[nodiscard]] bool back_rows(const void* first, size_t size);

// Whether a daemon has ever kept what a scope had, and the scope's saved row may be touched.
[[nodiscard]] inline bool saved_rows_usable(unsigned row) {
    return load(local.header.saved) != 0 && back_rows(&local.saved[row], sizeof(local.saved[row]));
}

}  // namespace mpol::control

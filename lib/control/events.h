// SPDX-License-Identifier: Apache-2.0
// The target's side of the segment's events (struct mpol_ctl_event): rows of a ring, written by any
// thread without waiting, read by outsiders (watch.h) who are told by sequence numbers what they
// missed. Nothing is written, and no row is backed by memory, before somebody has watched.
//
// A row's word says whose it is:
//
//     0                          nobody's yet
//     (sequence + 1) << 1 | 1    being written by the thread that drew that number
//     (sequence + 1) << 1        whole
//
// A thread that finds its row being written still by one a whole ring behind gives its event up; the
// reader finds the number missing.
//
// Never allocates; may run inside jemalloc's locks; errno is preserved.
#pragma once

#include <cstdint>

namespace mpol::control {

struct EventFacts {
    uint32_t event = 0;  // enum mpol_event
    bool end = false;
    uint64_t start = 0;
    uint64_t size = 0;
};

// Wakes those who watch, while they say that they are there (watch_until_ns).
void record_event(const EventFacts& facts);

// After abandon(): nobody has watched this process.
void forget_events();

inline constexpr uint64_t kEventWriting = 1;
[[nodiscard]] constexpr uint64_t event_word(uint64_t sequence) { return (sequence + 1) << 1; }

}  // namespace mpol::control

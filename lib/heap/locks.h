// SPDX-License-Identifier: Apache-2.0
// Holding off every region operation of the process, as mm_take_all_locks (mm/mmap.c) holds off the
// kernel's. Taken in this order, which no one else may turn around:
//
//     1  the mutex above all      one holder at a time, so that gates may be closed one by one
//     2  apply_mutex              policy application, handing scopes out
//     3  request_gate             system calls that outsiders ask for
//     4  migration_gate           migration, batch by batch
//     5  slot_gate                threads taking and giving back slots
//     6  purge_gate               our purges. jemalloc marks an arena that is purged, without a lock: a
//                                 forked child's would be purged no more
//     .  jemalloc's own locks     only fork, by jemalloc's prepare handler
//     7  Scope::growth            one for each scope: regions and extents made, purged, given back
//     8  the gate of mappings     new stacks, and what the program maps, bound by their kinds
//
// Inside a gate nobody takes 1 or 2 or enters another gate, but for 7, which is entered inside
// jemalloc's locks (so whoever holds everything must not call the allocator), and 8, which a
// callback or a signal handler may come to from inside any: it is closed last, when nobody is
// inside another, and opened first.
//
// Never allocates; errno is preserved.
#pragma once

#include "heap/futex_gate.h"

namespace mpol::heap {

extern Gate request_gate;
extern Gate migration_gate;
extern Gate slot_gate;
extern Gate purge_gate;

// 0; -EINTR: a signal handler ran while it waited, and nothing is held; -EDEADLK: this thread holds
// everything already, or is inside a notifier's callback.
[[nodiscard]] int take_all_locks();
// 0, or -EPERM: this thread does not hold them.
int drop_all_locks();
[[nodiscard]] bool holds_all_locks();

// Binding a mapping or a stack, for the length of a block. Async-signal-safe. Never waits in the
// thread that closes, or has closed, the gate: what it maps then is its own doing.
class InsideMappings {
  public:
    InsideMappings();
    ~InsideMappings();
    InsideMappings(const InsideMappings&) = delete;
    InsideMappings& operator=(const InsideMappings&) = delete;

  private:
    bool entered_ = false;
};

// For the length of a block: none of our purges runs, nor begins. Nothing where the thread holds
// everything, or is inside a notifier's callback.
class PurgesHeldOff {
  public:
    PurgesHeldOff();
    ~PurgesHeldOff();
    PurgesHeldOff(const PurgesHeldOff&) = delete;
    PurgesHeldOff& operator=(const PurgesHeldOff&) = delete;

  private:
    bool closed_ = false;
};

// --- Fork: the same in two steps, around jemalloc's prepare handler. Nothing interrupts them.

void take_locks_for_fork();  // 1 to 6, unless the thread holds everything already
void close_growth();         // 7 and 8
void open_growth();
void drop_locks_after_fork();
// In the child, instead of the last two: nobody else is there to be held off or woken.
void renew_locks();

}  // namespace mpol::heap

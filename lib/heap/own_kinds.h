// SPDX-License-Identifier: Apache-2.0
// A thread's own policies for the stacks of threads that it creates and for what it maps itself.
// They need no scope: the thread reads its row of the segment at each use, so that a policy is in
// force from the next call on, without an allocator call in between. What it has placed so is its
// own to rewrite while it lives and has such a policy (placed.h, and marks of stacks in
// kind_ranges.h); whoever applies brings that after it. (For its large allocations: own_large.h.)
//
// Never allocates, prints, exits or throws; errno is preserved. By the thread itself, but where
// another is named.
#pragma once

#include <atomic>
#include <cstddef>

#include "control/slots.h"
#include "heap/kinds.h"
#include "heap/placed.h"

namespace mpol::heap {

// Some thread has, or had, a policy for stacks: the C library may have kept one that is bound so.
extern std::atomic<bool> own_stacks_ever;

// A policy of that kind was ever published for the calling thread. Two loads.
[[nodiscard]] bool has_own_kind(Kind kind);

// --- Placing. Async-signal-safe; errors are recorded, and the range then keeps what it had.

enum class Placing : uint8_t {
    kNot,        // There is no such policy, or none that means anything here.
    kTakenBack,  // The same, but the range was bound by it in between.
    kDone,
};
// Binds what the calling thread has mapped.
[[nodiscard]] Placing place_mapping(void* start, size_t size);
// What another thread's mapping has become. kNot: that one is gone, too.
[[nodiscard]] Placing place_mapping_of(Placer placer, void* start, size_t size);
// Somebody's policy was bound to mapped memory that may have become another's meanwhile: whoever
// has it now gets his own again, also where it goes on changing hands. apply_mutex held.
void bind_as_placed(uintptr_t start, uintptr_t end);

// What the stack of a thread that the calling one creates is to be bound to.
[[nodiscard]] OwnStack own_stack();
// By the thread that was created, once its stack is marked. kNot: own names nothing.
[[nodiscard]] Placing place_stack(void* start, size_t size, const OwnStack& own);

// For a thread that the calling one creates.
void inherit_own_kind(Kind kind, control::OwnKinds& kinds);

// --- Rewriting

// What placer has placed under a policy of its own for the kind is still its own: no rewrite of the
// process's is for it.
[[nodiscard]] bool is_kept(Placer placer, Kind kind);

// Binds what threads have placed as they now have it, or as the process has it where a policy was
// taken back. apply_mutex held. True: something was new.
bool bind_own_kinds();

// --- Threads

// Bits of the kinds of which the calling thread has placed something; see Inheritance.
[[nodiscard]] uint32_t placed_kinds();
// The only thread of a forked child, which has a slot again, is who it was in the parent. What it
// has placed is bound anew: what it was asked for may be from after the fork. Waits for
// apply_mutex.
void adopt_placed(uint32_t placed);
// It exits, and its slot is still its own: what it has placed is the process's.
void leave_placed();
// In a forked child: the other threads are gone.
void forget_placers();

}  // namespace mpol::heap

// SPDX-License-Identifier: Apache-2.0
// A thread's own policies for the stacks of threads that it creates and for what it maps itself.
// They are for new memory only and need no scope: the thread reads its row of the segment at each
// use, so that a policy is in force from the next call on, without an allocator call in between.
// (For its large allocations: own_large.h.)
//
// Never allocates, prints, exits or throws; errno is preserved. By the thread itself.
#pragma once

#include <atomic>
#include <cstddef>

#include "control/slots.h"
#include "heap/kinds.h"

namespace mpol::heap {

// Some thread has, or had, a policy for stacks: the C library may have kept one that is bound so.
extern std::atomic<bool> own_stacks_ever;

// A policy of that kind was ever published for the calling thread. Two loads.
[[nodiscard]] bool has_own_kind(Kind kind);

// What the calling thread's new memory of the kind is to be bound to. False: it has no such policy,
// or none that means anything here. Async-signal-safe.
[[nodiscard]] bool own_binding(Kind kind, Binding& ret_binding);

// Errors are recorded; the range then keeps what it had. Async-signal-safe.
void bind_as_own(void* start, size_t size, const Binding& binding);

// For a thread that the calling one creates.
void inherit_own_kind(Kind kind, control::OwnKinds& kinds);

}  // namespace mpol::heap

// SPDX-License-Identifier: Apache-2.0
// Brings what the segment asks for into force: on the regions of the process and of the threads'
// scopes, from whatever thread of the process comes first. What only the thread itself can do (its
// arena, its cache, its kernel task policy) is in task.h.
//
// Never waits for another process; never allocates from the program's heap; errno is preserved.
#pragma once

#include <cstdint>

#include "heap/scopes.h"

namespace mpol::heap {

// What policy means to a process that may use allowed. Returns 0, or -errno when it means nothing
// (no allowed node). Pure.
[[nodiscard]] int resolve(const Policy& policy, const NodeMask& allowed, Binding& ret_binding);

// The memory nodes that the process may use now. All nodes where the kernel won't tell.
[[nodiscard]] NodeMask allowed_now();

// They are others than whoever applied last has known. Takes no lock.
[[nodiscard]] bool allowed_have_changed();

// Those that the process may use now, known to those who apply from then on. apply_mutex held.
[[nodiscard]] NodeMask sync_allowed_nodes();

// Some scope is bound: a change of the cpuset concerns this process.
[[nodiscard]] bool any_binding();

// Applies what is new for the process's policy and for every thread scope already made, and rebinds
// them when the allowed nodes have changed (mm/mempolicy.c mpol_rebind_mm has done so for mappings
// that exist; here it is done for regions to come, and told). Returns at once when nothing is new,
// or when apply_mutex is taken: its holder then rings the doorbell when he unlocks it.
void apply_pending();

// Tells those who wait on the segment's ack word that something was applied.
void acknowledge();

// A thread's first policy: gives the slot a scope and binds it. Returns the scope, or kProcessScope
// with the error in the slot. Waits for apply_mutex, which is held for microseconds a region.
[[nodiscard]] ScopeId apply_first(int slot);

// Before the segment is published for the first time: nothing is asked for, and nothing is bound.
void begin_process();

// In a forked child: the generation of the parent's process policy that this memory is bound to.
[[nodiscard]] uint64_t process_bound_at();

// In a forked child, once the segment holds the parent's process policy: whether the regions, which
// fork copied with their policies, are bound to it already.
void inherit_process(bool bound);

// The slot's thread already allocates from scope (a forked child's only thread).
void adopt_scope(int slot, ScopeId scope);

// Where the slot's thread has its memory, with a reference to it, and those of its large
// allocations where they have a scope of their own (both kProcessScope: nothing is its own). Waits
// for apply_mutex.
struct ScopesOfSlot {
    ScopeId own = kProcessScope;
    ScopeId large = kProcessScope;
};
[[nodiscard]] ScopesOfSlot get_scopes_of_slot(unsigned slot);
// Drops the references. Waits for apply_mutex.
void put_scopes(const ScopesOfSlot& scopes);

// The thread of the slot is exiting: its scope waits for another thread.
void leave_scope(int slot);

// In a forked child, with apply_mutex held: no slot has a scope.
void forget_slot_scopes();

}  // namespace mpol::heap

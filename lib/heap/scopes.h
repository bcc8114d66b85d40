// SPDX-License-Identifier: Apache-2.0
// Scopes: who shares a policy and the memory under it. Scope 0 is the process: jemalloc's automatic
// arenas, and those the program makes, draw from its regions. A thread with a policy of its own has
// a scope with one arena; when it exits, the scope waits, memory and all, for the next such thread.
//
// Lifetimes, in place of the kernel's reference counts. A policy is a value: whoever needs one
// copies it out of a latch (a task's out of the segment, a scope's binding out of the scope) and
// keeps nothing that points to it, so a reader takes no reference and makes no atomic
// read-modify-write. Replacing a policy is a publication to the latch; the old one is gone when the
// last copy goes out of use. A scope is never freed, and neither are its arena and regions: a
// ScopeId, or a pointer into a region, that somebody still has names the same memory for ever.
// Which thread a scope belongs to changes under apply_mutex only (take_scope, give_scope), and who
// asks that of another task holds it; a thread knows its own without. Its second one, for large
// allocations (own_large.h), is taken and given with the first. Whoever drops the mutex with an
// answer has a name of memory, not of a thread: a migration goes on with that memory when its
// thread has left and the next one has it.
#pragma once

#include <atomic>
#include <cstdint>

#include "heap/bindings.h"
#include "heap/futex_gate.h"
#include "heap/je.h"
#include "heap/regions.h"

namespace mpol::heap {

// In Scope::current_region, which holds a row + 1.
inline constexpr uint32_t kNoRegion = 0;

struct Scope {
    ExtentHooks hooks;  // first: jemalloc hands its address to the hooks
    std::atomic<uint32_t> current_region;
    std::atomic<uint32_t> meeting;  // of bind_scope and bind_new_region
    std::atomic<uint64_t> reserved;  // bytes in its regions
    uint64_t binding_word;
    uint64_t binding[2][kBindingWords];
    unsigned arena;
    bool follows_process;  // under apply_mutex: no thread's own policy governs it
    Gate growth;           // its regions and extents are made, purged, given back inside
};

[[nodiscard]] Scope& scope_at(ScopeId id);
[[nodiscard]] unsigned scope_count();  // ids 0..scope_count()-1 are in use or waiting

// Serialises all that changes bindings or hands scopes out. Held over system calls on whole regions
// and over jemalloc's mallctl, never taken inside jemalloc's locks; fork's prepare handler takes it
// before jemalloc's own.
extern ApplyMutex apply_mutex;

// Some thread has, or had, a scope of its own: from then on a free looks for the owner first. Never
// goes back.
extern std::atomic<bool> several_scopes;

// Supplied by whoever links the heap, called before the first thread scope exists; false refuses it.
// The preloaded library turns its owner check on here.
[[nodiscard]] bool prepare_several_scopes();

// A scope that no thread has: with an arena, or as the holder of a binding. kProcessScope when
// there is none to be had. An arena begins with pages of its own, which lie as first says.
// apply_mutex held.
[[nodiscard]] ScopeId make_kind_scope(bool with_arena, const Binding& first);

// A scope for a thread: a waiting one, or a new one with a new arena. kProcessScope when there is
// none to be had. apply_mutex held.
[[nodiscard]] ScopeId take_scope(const Binding& first);
// Its thread has left. apply_mutex held.
void give_scope(ScopeId id);

}  // namespace mpol::heap

// SPDX-License-Identifier: Apache-2.0
// Scopes: who shares a policy and the memory under it. Scope 0 is the process: jemalloc's automatic
// arenas, and those the program makes, draw from its regions. A thread with a policy of its own has
// a scope with one arena; when it exits, the scope waits, memory and all, for the next such thread.
//
// References, as the kernel counts those of its policies (mm/mempolicy.c mpol_get, mpol_put). What
// a scope's references keep is its policy and its place: while there is one, the scope is handed to
// no other thread, whose policy would replace it.
//  - Its thread has one, from take_scope to give_scope. An allocation, a free and the reading of a
//    policy need no other, and make no atomic read-modify-write: a thread knows its own scope, and
//    a policy is a value that is copied out of a latch.
//  - Whoever replaces a policy takes one for as long as he goes on with the scope after apply_mutex
//    is free again (apply.cc, from binding to report).
//  - A task that looks up another one's scope takes one under the mutex (get_scope), and drops it
//    when it is through: a migration of a thread's memory ends under the policy that it began with,
//    though the thread has left and the next one wants a scope.
//  - The process's scope and those of the kinds (make_kind_scope) are for ever, like the kernel's
//    default policy: they are not counted.
// The last one to go lets the scope wait for the next thread. Memory needs no reference: a scope is
// never freed, and neither are its arena and regions, so a ScopeId, or a pointer into a region,
// that somebody still has names the same memory for ever.
//
// Counts change under apply_mutex only, and so does which thread a scope belongs to. A thread's
// second scope, for large allocations (own_large.h), is taken and given with the first.
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
    std::atomic<uint32_t> meeting;   // of bind_scope and bind_new_region
    std::atomic<uint64_t> reserved;  // bytes in its regions
    uint64_t binding_word;
    uint64_t binding[2][kBindingWords];
    unsigned arena;
    bool follows_process;  // under apply_mutex: no thread's own policy governs it
    uint32_t references;   // under apply_mutex
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

// A scope that no thread has: with an arena, or as the holder of a binding. kProcessScope when
// there is none to be had. An arena begins with pages of its own, which lie as first says.
// apply_mutex held.
[[nodiscard]] ScopeId make_kind_scope(bool with_arena, const Binding& first);

// A scope for a thread, which has the first reference to it: a waiting one, or a new one with a new
// arena. kProcessScope when there is none to be had. apply_mutex held.
[[nodiscard]] ScopeId take_scope(const Binding& first);
// Its thread has left, and drops its reference. apply_mutex held.
void give_scope(ScopeId id);

// One more reference to a scope that somebody has one to; none to kProcessScope. apply_mutex held
// since that was seen.
void get_scope(ScopeId id);
// Drops one. apply_mutex held.
void put_scope(ScopeId id);

// In a forked child, with apply_mutex held: whoever had references is lost, but for the only
// thread, whose scopes are own and large (kProcessScope: none).
void orphan_scopes(ScopeId own, ScopeId large);

}  // namespace mpol::heap

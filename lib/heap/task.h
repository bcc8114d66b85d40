// SPDX-License-Identifier: Apache-2.0
// What each thread does for itself, on the slow path that an allocator call takes when the epoch
// has changed: claim its slot, move to the scope of its own policy, give its cached free memory
// back, and set its kernel task policy (which governs its stack and direct mmaps, and which exec
// keeps).
//
// Never prints, exits or throws; errno is preserved. Not async-signal-safe, as malloc is not.
#pragma once

#include <cstdint>
#include <optional>

#include "control/saved.h"
#include "control/slots.h"
#include "heap/placed.h"
#include "heap/scopes.h"

namespace mpol::heap {

// A thread's kernel task policy as it was before the first change by us.
struct SavedTaskPolicy {
    bool saved = false;
    int mode_word = 0;
    NodeMask nodes{};
};

// What a thread that only frees has (free_cache.h). kNotOurs: it allocates, or has left its cache.
enum class FreeCache : uint8_t { kNone, kInTheMaking, kHere, kNotOurs };

struct Task {
    static constexpr uint32_t kNoEpoch = ~uint32_t{0};  // that no segment begins with
    // Hot: the epoch this thread has acted on.
    uint32_t epoch = kNoEpoch;
    // Hot once several scopes exist: where this thread's memory comes from.
    ScopeId scope = kProcessScope;
    bool in_slow_path = false;
    bool exited = false;
    bool slotless = false;   // all slots were taken: it follows the process
    uint32_t due_epoch = 0;  // with cache_due: that it has acted on, but for the cache
    bool cache_due = false;  // its cache holds what was placed before a rewrite
    bool arena_switched = false;
    int slot = control::kNoSlot;
    unsigned automatic_arena = 0;  // where it was before it had a scope
    ScopeId owned_scope = kProcessScope;
    uintptr_t descriptor = 0;  // pthread_self() of a thread whose stack is not the main one
    uint64_t own_generation = 0;
    uint64_t process_generation = 0;
    SavedTaskPolicy before_us;
    // Hot in a thread whose large allocations have a policy of their own (own_large.h): the epoch
    // that it has acted on, while `epoch` is one that never comes; and above how many bytes they
    // begin.
    uint64_t routed_epoch = kNotRouted;
    size_t large_above = SIZE_MAX;
    unsigned large_arena = 0;
    ScopeId large_scope = kProcessScope;
    bool large_wanted = false;
    // Calls of free that the cache could not take, or was not there; at so many it is looked after,
    // again and again.
    static constexpr unsigned kFreesToLook = 256;
    unsigned frees_by_default = 0;
    uint64_t large_generation = 0;
    Placer placer = 0;  // who it is where something was placed as its own (own_kinds.h)
    FreeCache free_cache = FreeCache::kNone;

    static constexpr uint64_t kNotRouted = ~uint64_t{0};
    // Up to date with the segment at that epoch.
    void act_on(uint32_t seen);
    // The same but for its cache: its next call takes the slow path, too.
    void come_again(uint32_t seen);
};

#define MPOL_TLS __attribute__((tls_model("initial-exec"), visibility("hidden")))
extern thread_local constinit Task this_task MPOL_TLS;

// The stack of a thread, as its creator's own policy has it.
struct OwnStack {
    Binding binding{};  // set: there is such a policy
    Placer placer = 0;  // the creator
    uint64_t generation = 0;
};

// What a thread of its own policies hands to one that it creates: as in the kernel, a copy.
struct Inherited {
    control::Heritage own{};
    OwnStack stack{};     // of the thread that is created
    uint32_t placed = 0;  // bits of kinds; for a forked child's thread, which is the same one
};

// What a thread hands to one that it creates. Most have no policy of their own: what both threads'
// processors look at is small then.
struct Inheritance {
    uint64_t process_generation = 0;  // that the creator's kernel task policy reflects
    SavedTaskPolicy before_us{};
    std::optional<Inherited> own;
};
[[nodiscard]] Inheritance inheritance();

// The calling thread has a slot from now on.
void begin_task(const Inheritance& from);

// Brings the calling thread up to date with the segment; with pending, also what is pending for the
// process as a whole (when no helper thread does that). Waits only for other threads of the process
// that bind regions.
void sync_task(bool pending);

// What sync_task leaves for later: gives the calling thread's cache back where that is due. False:
// not yet, because somebody is purging, and the thread would wait; it is to come again at its next
// call.
[[nodiscard]] bool settle_cache();

// The part of sync_task that a signal handler may do in a thread that is busy elsewhere: its kernel
// task policy. Async-signal-safe; errno is preserved.
void sync_task_policy();

// The calling thread is exiting: slot, scope and caches go back. Later allocations of the thread
// (destructors of the program's) come from the process's scope.
void end_task();

// In a forked child: the only thread has no slot yet and keeps its scope. begin_task follows.
void rebirth_task();

}  // namespace mpol::heap

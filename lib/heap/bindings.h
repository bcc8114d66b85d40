// SPDX-License-Identifier: Apache-2.0
// Bindings: what the regions of a scope are bound to. Kept so that a region made later is bound the
// same; that happens inside jemalloc's locks, so a binding is published by a latch and read without
// waiting.
//
// Never allocates; errno is preserved.
#pragma once

#include <cstddef>
#include <cstdint>

#include "control/words.h"
#include "heap/regions.h"
#include "policy/policy.h"

namespace mpol::heap {

struct Binding {
    bool set = false;     // false: regions follow the task policy, as without us
    Policy policy{};      // as asked for
    NodeMask effective{}; // policy.nodes in the allowed nodes
};

inline constexpr unsigned kBindingWords = control::kPolicyWords + kNodeWords;

[[nodiscard]] Binding read_binding(ScopeId id);
[[nodiscard]] bool is_bound(ScopeId id);
// Changes with every bind_scope, and only grows.
[[nodiscard]] uint64_t binding_generation(ScopeId id);

// Binds every region of the scope, and those to come. apply_mutex held. Returns 0, or the first
// error (-errno) after trying all regions.
int bind_scope(ScopeId id, const Binding& binding);

// For regions.cc: binds one region as its scope says, whatever is rewritten meanwhile.
void bind_new_region(Region& region, unsigned row);

// Binds a range, once. 0 or -errno.
int bind_range(void* start, size_t size, const Binding& binding);

// Binds a new range as the scope says, whatever is rewritten meanwhile. bound: it may be bound to
// something else. Async-signal-safe.
void bind_new_range(ScopeId id, void* start, size_t size, bool bound);

}  // namespace mpol::heap

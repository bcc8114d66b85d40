// SPDX-License-Identifier: Apache-2.0
#include "heap/scopes.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>

#include "control/segment.h"
#include "sys/sys.h"

namespace mpol::heap {

using control::local;

alignas(64) constinit std::atomic<bool> several_scopes{false};

namespace {

constexpr size_t kPage = 4096;

constinit Scope scopes[kScopesMax]{};
constinit std::atomic<uint32_t> scopes_made{1};
// Under apply_mutex.
constinit ScopeId waiting[kScopesMax];
constinit unsigned waiting_count = 0;

// Extent hooks of thread scopes. Called inside jemalloc's locks: they never wait.

void* extent_alloc(ExtentHooks* hooks, void* new_addr, size_t size, size_t alignment, bool* zero,
                   bool* commit, unsigned) {
    if (new_addr != nullptr)
        return nullptr;  // Growing in place is jemalloc's option, not its need.
    const sys::ErrnoGuard guard;
    const auto id = static_cast<ScopeId>(reinterpret_cast<Scope*>(hooks) - scopes);
    void* at = carve(id, size, std::max(alignment, kPage));
    if (at == nullptr) return nullptr;
    *zero = true;
    *commit = true;
    return at;
}

bool extent_purge(ExtentHooks*, void* at, size_t, size_t offset, size_t length, unsigned) {
    return give_back_pages(static_cast<char*>(at) + offset, length, MADV_DONTNEED) != 0;
}

bool extent_split(ExtentHooks*, void*, size_t, size_t, size_t, bool, unsigned) {
    return false;
}
bool extent_merge(ExtentHooks*, void*, size_t, void*, size_t, bool, unsigned) {
    return false;
}

// No dalloc: with opt.retain jemalloc keeps its extents, and giving addresses back would lose the
// policy on them.
constexpr ExtentHooks kHooks = {extent_alloc, nullptr,      nullptr,      nullptr,     nullptr,
                                nullptr,      extent_purge, extent_split, extent_merge};

// A new arena on the scope's hooks; false when jemalloc has none to give.
bool make_arena(ScopeId id, const Binding& first) {
    Scope& scope = scopes[id];
    // Before jemalloc touches the arena's first pages.
    if (first.set) (void)bind_scope(id, first);
    scope.hooks = kHooks;
    ExtentHooks* hooks = &scope.hooks;
    unsigned arena = 0;
    size_t size = sizeof(arena);
    if (je_mallctl("arenas.create", &arena, &size, &hooks, sizeof(hooks)) != 0) return false;
    scope.arena = arena;
    return true;
}

// Those of threads, and not waiting.
bool is_counted(ScopeId id) {
    return scopes[id].references != 0;
}

}  // namespace

Scope& scope_at(ScopeId id) {
    return scopes[id];
}
unsigned scope_count() {
    return scopes_made.load(std::memory_order_acquire);
}

ScopeId make_kind_scope(bool with_arena, const Binding& first) {
    const auto id = static_cast<ScopeId>(scopes_made.load(std::memory_order_relaxed));
    if (id >= kScopesMax || (with_arena && !make_arena(id, first))) {
        control::record_error(MPOL_CTL_ERROR_SCOPE, EAGAIN, id);
        return kProcessScope;
    }
    scopes_made.store(id + 1U, std::memory_order_release);
    return id;
}

ScopeId take_scope(const Binding& first) {
    if (waiting_count > 0) {
        const ScopeId id = waiting[--waiting_count];
        scopes[id].references = 1;
        return id;
    }
    const auto id = static_cast<ScopeId>(scopes_made.load(std::memory_order_relaxed));
    if (id >= kScopesMax || !make_arena(id, first)) {
        control::record_error(MPOL_CTL_ERROR_SCOPE, EAGAIN, id);
        return kProcessScope;
    }
    scopes[id].references = 1;
    scopes_made.store(id + 1U, std::memory_order_release);
    control::count(MPOL_CTL_SCOPES);
    several_scopes.store(true, std::memory_order_release);
    __atomic_fetch_or(&local.header.status, MPOL_CTL_STATUS_MULTI, __ATOMIC_ACQ_REL);
    return id;
}

void give_scope(ScopeId id) {
    scopes[id].follows_process = true;
    put_scope(id);
}

void get_scope(ScopeId id) {
    if (is_counted(id)) ++scopes[id].references;
}

void put_scope(ScopeId id) {
    if (is_counted(id) && --scopes[id].references == 0) waiting[waiting_count++] = id;
}

void orphan_scopes(ScopeId own, ScopeId large) {
    for (unsigned id = 1; id < scope_count(); ++id) {
        if (scopes[id].references == 0) continue;  // it waits, or is a kind's
        const bool kept = id == own || id == large;
        scopes[id].references = 1;
        if (!kept) give_scope(static_cast<ScopeId>(id));
    }
}

}  // namespace mpol::heap

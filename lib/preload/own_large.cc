// SPDX-License-Identifier: Apache-2.0
#include "preload/own_large.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include "heap/je.h"
#include "heap/kinds.h"
#include "preload/foreign.h"

namespace mpol::preload {
namespace {

constexpr int kZero = 0x40;             // MALLOCX_ZERO
constexpr int kCacheBits = 0xfff << 8;  // MALLOCX_TCACHE(...)
constexpr int kArenaShift = 20;         // MALLOCX_ARENA(...)

void* allocate(size_t size) {
    if (is_own_large(size)) {
        if (void* const large = allocate_own_large(size)) return large;
    }
    return je_malloc(size);
}

// Where a block of that size would be allocated, it is already.
bool belongs(const void* pointer, size_t size) {
    const heap::Task& task = heap::this_task;
    const heap::ScopeId owner = heap::owner_of(pointer);
    if (owner == task.scope) return !is_own_large(size);
    if (owner == task.large_scope) return is_own_large(size);
    return !heap::ceases_to_be_large(pointer, size);  // Another thread's stays with its owner.
}

}  // namespace

void* allocate_own_large(size_t size, size_t alignment, bool zero) {
    if (!std::has_single_bit(alignment)) return nullptr;
    const int lg_alignment = std::countr_zero(alignment);
    return je_mallocx(size, in_own_large(lg_alignment | (zero ? kZero : 0)));
}

int in_own_large(int flags) {
    if (flags >> kArenaShift != 0) return flags;
    if ((flags & kCacheBits) == 0) flags |= heap::kNoTcache;
    return flags | heap::arena_flag(heap::this_task.large_arena);
}

void* realloc_by_size(void* pointer, size_t size) {
    if (pointer == nullptr) return allocate(size);
    if (size == 0) {
        release(pointer);
        return je_malloc(0);
    }
    const size_t wanted = je_nallocx(size, 0);
    if (wanted != 0 && belongs(pointer, size) && je_xallocx(pointer, size, 0, 0) == wanted) {
        return pointer;
    }
    void* const moved = allocate(size);
    if (moved == nullptr) return nullptr;
    std::memcpy(moved, pointer, std::min(size, je_sallocx(pointer, 0)));
    release(pointer);
    return moved;
}

}  // namespace mpol::preload

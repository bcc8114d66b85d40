// SPDX-License-Identifier: Apache-2.0
#include "preload/foreign.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "heap/je.h"
#include "heap/kinds.h"

namespace mpol::preload {
namespace {

constexpr int kTcacheBits = 0xfff << 8;

// For the path that nearly every free takes: one look, no call. False: ask is_foreign.
[[gnu::always_inline]] inline bool is_surely_own(const void* pointer) {
    return __builtin_expect(heap::owners.look_up_allocated(pointer) == heap::this_task.scope, 1);
}

// Apart, so that the owner's path is a leaf.
[[gnu::noinline]] void free_others(void* pointer) {
    return is_foreign(pointer) ? free_foreign(pointer) : mpol_free_own(pointer);
}

[[gnu::noinline]] void free_sized_others(void* pointer, size_t size) {
    return is_foreign(pointer) ? free_foreign(pointer) : mpol_free_sized_own(pointer, size);
}

}  // namespace

extern "C" [[gnu::used]] void mpol_free_checked(void* pointer) {
    return is_surely_own(pointer) ? mpol_free_own(pointer) : free_others(pointer);
}

extern "C" [[gnu::used]] void mpol_free_sized_checked(void* pointer, size_t size) {
    return is_surely_own(pointer) ? mpol_free_sized_own(pointer, size)
                                  : free_sized_others(pointer, size);
}

void* realloc_foreign(void* pointer, size_t size) {
    if (size == 0) {
        free_foreign(pointer);
        return je_malloc(0);
    }
    const size_t wanted = je_nallocx(size, 0);
    if (wanted != 0 && !heap::ceases_to_be_large(pointer, size) &&
        je_xallocx(pointer, size, 0, 0) == wanted) {
        return pointer;
    }
    void* moved = je_malloc(size);
    if (moved == nullptr) return nullptr;
    std::memcpy(moved, pointer, std::min(size, je_sallocx(pointer, 0)));
    free_foreign(pointer);
    return moved;
}

void* realloc_into_large(void* pointer, size_t size) {
    if (pointer != nullptr && je_nallocx(size, 0) == je_sallocx(pointer, 0)) return pointer;
    void* const moved = je_malloc(size);
    if (moved == nullptr) {
        errno = ENOMEM;
        return nullptr;
    }
    if (pointer == nullptr) return moved;
    std::memcpy(moved, pointer, std::min(size, je_sallocx(pointer, 0)));
    je_free(pointer);
    return moved;
}

int without_cache(int flags) {
    return (flags & kTcacheBits) != 0 ? flags : flags | heap::kNoTcache;
}

}  // namespace mpol::preload

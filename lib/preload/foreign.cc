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

}  // namespace

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

// SPDX-License-Identifier: Apache-2.0
#include "preload/foreign.h"

#include <algorithm>
#include <cstring>

#include "heap/je.h"

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
    if (wanted != 0 && je_xallocx(pointer, size, 0, 0) == wanted) return pointer;
    void* moved = je_malloc(size);
    if (moved == nullptr) return nullptr;
    std::memcpy(moved, pointer, std::min(size, je_sallocx(pointer, 0)));
    free_foreign(pointer);
    return moved;
}

int without_cache(int flags) {
    return (flags & kTcacheBits) != 0 ? flags : flags | heap::kNoTcache;
}

}  // namespace mpol::preload

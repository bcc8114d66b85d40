// SPDX-License-Identifier: Apache-2.0
#include "preload/foreign.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "control/segment.h"
#include "heap/je.h"
#include "sys/sys.h"

namespace mpol::preload {
namespace {

// A jemalloc cache that is only ever freed into: its flushes sort the objects by arena and take
// each arena's locks once for a batch, and its bins bound what it holds.
int foreign_flags() {
    heap::Task& task = heap::this_task;
    if (task.foreign_tcache != 0) return heap::tcache_flag(task.foreign_tcache - 1);
    if (task.exited) return heap::kNoTcache;
    const sys::ErrnoGuard guard;
    unsigned tcache = 0;
    size_t size = sizeof(tcache);
    if (je_mallctl("tcache.create", &tcache, &size, nullptr, 0) != 0) return heap::kNoTcache;
    task.foreign_tcache = tcache + 1;
    return heap::tcache_flag(tcache);
}

constexpr int kTcacheBits = 0xfff << 8;
constexpr unsigned kFreesPerCount = 256;

}  // namespace

void free_foreign(void* pointer) {
    // Told in batches: the counter's cache line is every thread's.
    heap::Task& task = heap::this_task;
    if (++task.foreign_frees == kFreesPerCount) {
        control::count(MPOL_CTL_FOREIGN_FREES, task.foreign_frees);
        task.foreign_frees = 0;
    }
    je_dallocx(pointer, foreign_flags());
}

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

void flush_foreign() {
    heap::Task& task = heap::this_task;
    control::count(MPOL_CTL_FOREIGN_FREES, task.foreign_frees);
    task.foreign_frees = 0;
    if (task.foreign_tcache == 0) return;
    unsigned tcache = task.foreign_tcache - 1;
    task.foreign_tcache = 0;
    je_mallctl("tcache.destroy", nullptr, nullptr, &tcache, sizeof(tcache));
}

}  // namespace mpol::preload

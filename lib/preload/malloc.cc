// SPDX-License-Identifier: Apache-2.0
// The exported malloc family, malloc(3) and C23: one check, then a jump into jemalloc. free jumps
// through entries.h, because once the process has several scopes, memory of another one must not
// enter this thread's cache (foreign.h).
#include <cerrno>
#include <cstring>

#include "heap/je.h"
#include "heap/kinds.h"
#include "preload/entries.h"
#include "preload/foreign.h"
#include "preload/slow_path.h"

#define MPOL_EXPORT extern "C" [[gnu::visibility("default")]]

using mpol::preload::check;
using mpol::preload::is_foreign;
using mpol::preload::up_to_date;

namespace {

constexpr size_t kPage = 4096;

// Apart, so that the fast path stays a leaf: a check and a jump.
[[gnu::cold, gnu::noinline]] void* malloc_slow(size_t size) {
    mpol::preload::slow_path();
    return je_malloc(size);
}

[[gnu::cold, gnu::noinline]] void* calloc_slow(size_t count, size_t size) {
    mpol::preload::slow_path();
    return je_calloc(count, size);
}

// jemalloc 5.3 leaves errno alone when these fail; malloc(3) says ENOMEM.
void* or_enomem(void* pointer) {
    if (pointer == nullptr) errno = ENOMEM;
    return pointer;
}

}  // namespace

MPOL_EXPORT void* malloc(size_t size) {
    if (!up_to_date()) return malloc_slow(size);
    return je_malloc(size);
}

MPOL_EXPORT void* calloc(size_t count, size_t size) {
    if (!up_to_date()) return calloc_slow(count, size);
    return je_calloc(count, size);
}

MPOL_EXPORT void free(void* pointer) {
    return mpol::preload::entries.free(pointer);
}

MPOL_EXPORT void* realloc(void* pointer, size_t size) {
    check();
    if (is_foreign(pointer)) return mpol::preload::realloc_foreign(pointer, size);
    if (mpol::heap::becomes_large(size)) return mpol::preload::realloc_into_large(pointer, size);
    void* const moved = je_realloc(pointer, size);
    return size == 0 ? moved : or_enomem(moved);
}

MPOL_EXPORT void* reallocarray(void* pointer, size_t count, size_t size) {
    size_t bytes = 0;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return nullptr;
    }
    return realloc(pointer, bytes);
}

MPOL_EXPORT int posix_memalign(void** ret_pointer, size_t alignment, size_t size) {
    check();
    return je_posix_memalign(ret_pointer, alignment, size);
}

MPOL_EXPORT void* aligned_alloc(size_t alignment, size_t size) {
    check();
    return je_aligned_alloc(alignment, size);
}

MPOL_EXPORT void* memalign(size_t alignment, size_t size) {
    check();
    return or_enomem(je_memalign(alignment, size));
}

MPOL_EXPORT void* valloc(size_t size) {
    check();
    return or_enomem(je_valloc(size));
}

// jemalloc has none, and glibc's would return memory that jemalloc's free does not know.
MPOL_EXPORT void* pvalloc(size_t size) {
    check();
    if (size > SIZE_MAX - kPage) {
        errno = ENOMEM;
        return nullptr;
    }
    return or_enomem(je_memalign(kPage, size == 0 ? kPage : (size + kPage - 1) & ~(kPage - 1)));
}

MPOL_EXPORT size_t malloc_usable_size(void* pointer) { return je_malloc_usable_size(pointer); }

MPOL_EXPORT void free_sized(void* pointer, size_t) { free(pointer); }

MPOL_EXPORT void free_aligned_sized(void* pointer, size_t, size_t) { free(pointer); }

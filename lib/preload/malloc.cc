// SPDX-License-Identifier: Apache-2.0
// The exported malloc family, malloc(3) and C23: one check, then a jump into jemalloc. free asks
// for the owner once the process has several scopes, because memory of another one must not enter
// this thread's cache (foreign.h). On x86-64 malloc and free themselves are fast_path.S.
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "heap/free_cache.h"
#include "heap/je.h"
#include "heap/kinds.h"
#include "heap/purge.h"
#include "preload/fast_path.h"
#include "preload/foreign.h"
#include "preload/slow_path.h"
#include "sys/sys.h"

#define MPOL_EXPORT extern "C" [[gnu::visibility("default")]]

using mpol::preload::allocate_own_large;
using mpol::preload::is_foreign;
using mpol::preload::is_own_large;
using mpol::preload::SlowPath;
using mpol::preload::up_to_date;
using mpol::preload::Way;
using mpol::preload::way_of;

// Apart, so that the fast path stays a leaf: checks and a jump.
extern "C" [[gnu::visibility("hidden")]] void* mpol_malloc_slow(size_t size);
extern "C" [[gnu::used, gnu::cold, gnu::noinline]] void* mpol_malloc_slow(size_t size) {
    const SlowPath slow_path;
    void* const large = is_own_large(size) ? allocate_own_large(size) : nullptr;
    return large != nullptr ? large : je_malloc(size);
}

namespace {

constexpr size_t kPage = 4096;

[[gnu::cold, gnu::noinline]] void* calloc_slow(size_t count, size_t size) {
    const SlowPath slow_path;
    size_t bytes = 0;
    if (!__builtin_mul_overflow(count, size, &bytes) && is_own_large(bytes)) {
        if (void* const large = allocate_own_large(bytes, 1, true)) return large;
    }
    return je_calloc(count, size);
}

using Align = void*(size_t alignment, size_t size);

[[gnu::cold, gnu::noinline]] void* align_slow(size_t alignment, size_t size, Align* align) {
    const SlowPath slow_path;
    if (is_own_large(size)) {
        if (void* const large = allocate_own_large(size, alignment)) return large;
    }
    return align(alignment, size);
}

[[gnu::cold, gnu::noinline]] int posix_memalign_slow(void** ret_pointer, size_t alignment,
                                                     size_t size) {
    const SlowPath slow_path;
    if (is_own_large(size) && alignment >= sizeof(void*)) {
        if (void* const large = allocate_own_large(size, alignment)) {
            *ret_pointer = large;
            return 0;
        }
    }
    return je_posix_memalign(ret_pointer, alignment, size);
}

#ifdef MPOL_FAST_PATH
using mpol::heap::Task;

// A thread that only frees is given a cache after so many, which is when it has paid for making it.
// It notices here, too, what was published. False: the block is to go past the cache.
[[gnu::cold, gnu::noinline]] bool look_closer(void* block) {
    const mpol::sys::ErrnoGuard guard;  // free(3) keeps it, whether or not there is memory.
    mpol::heap::settle_free_blocks();
    Task& task = mpol::heap::this_task;
    task.frees_by_default = 0;
    if (task.in_slow_path || task.exited) return true;
    const bool cached = block == nullptr || mpol::heap::look_after_free_cache(block);
    // With a cache it comes by seldom: each time, then.
    if (task.free_cache == mpol::heap::FreeCache::kHere) task.frees_by_default = Task::kFreesToLook - 1;
    mpol::preload::check(mpol::preload::Call::kFrees);
    return cached;
}

bool look_after_cache(void* block) {
    return ++mpol::heap::this_task.frees_by_default < Task::kFreesToLook || look_closer(block);
}
#endif

// jemalloc 5.3 leaves errno alone when these fail; malloc(3) says ENOMEM.
void* or_enomem(void* pointer) {
    if (pointer == nullptr) errno = ENOMEM;
    return pointer;
}

[[gnu::always_inline]] inline void* reallocate(void* pointer, size_t size) {
    if (is_foreign(pointer)) return mpol::preload::realloc_foreign(pointer, size);
    if (mpol::heap::becomes_large(size)) return mpol::preload::realloc_into_large(pointer, size);
    void* const moved = je_realloc(pointer, size);
    return size == 0 ? moved : or_enomem(moved);
}

[[gnu::cold, gnu::noinline]] void* realloc_slow(void* pointer, size_t size) {
    const SlowPath slow_path;
    if (mpol::preload::has_own_large()) return mpol::preload::realloc_by_size(pointer, size);
    return reallocate(pointer, size);
}

}  // namespace

#ifdef MPOL_FAST_PATH
static_assert(offsetof(mpol_ctl_header, epoch) == MPOL_AT_EPOCH);
static_assert(offsetof(mpol::heap::Task, epoch) == MPOL_AT_TASK_EPOCH);
static_assert(offsetof(mpol::heap::Task, routed_epoch) == MPOL_AT_TASK_ROUTED_EPOCH);
static_assert(offsetof(mpol::heap::Task, large_above) == MPOL_AT_TASK_LARGE_ABOVE);

// Where jemalloc's own go on when the thread's cache can't take the block.
extern "C" [[gnu::used, gnu::visibility("hidden")]] void mpol_free_default(void* pointer) {
    if (!look_after_cache(pointer)) return je_dallocx(pointer, mpol::heap::kNoTcache);
    je_free_default(pointer);
}
extern "C" [[gnu::used, gnu::visibility("hidden")]] void mpol_free_sized_default(void* pointer,
                                                                                 size_t size,
                                                                                 int flags) {
    if (!look_after_cache(pointer)) return je_dallocx(pointer, mpol::heap::kNoTcache);
    je_sdallocx_default(pointer, size, flags);
}
#else
MPOL_EXPORT void* malloc(size_t size) {
    return way_of(size) != Way::kSlow ? je_malloc(size) : mpol_malloc_slow(size);
}

MPOL_EXPORT void free(void* pointer) {
    return mpol::preload::release(pointer);
}
#endif

MPOL_EXPORT void* calloc(size_t count, size_t size) {
    if (!up_to_date()) return calloc_slow(count, size);
    return je_calloc(count, size);
}

MPOL_EXPORT void* realloc(void* pointer, size_t size) {
    if (!up_to_date()) return realloc_slow(pointer, size);
    return reallocate(pointer, size);
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
    if (!up_to_date()) return posix_memalign_slow(ret_pointer, alignment, size);
    return je_posix_memalign(ret_pointer, alignment, size);
}

MPOL_EXPORT void* aligned_alloc(size_t alignment, size_t size) {
    if (!up_to_date()) return align_slow(alignment, size, je_aligned_alloc);
    return je_aligned_alloc(alignment, size);
}

MPOL_EXPORT void* memalign(size_t alignment, size_t size) {
    return or_enomem(up_to_date() ? je_memalign(alignment, size)
                                  : align_slow(alignment, size, je_memalign));
}

MPOL_EXPORT void* valloc(size_t size) {
    return or_enomem(up_to_date() ? je_valloc(size) : align_slow(kPage, size, je_memalign));
}

// jemalloc has none, and glibc's would return memory that jemalloc's free does not know.
MPOL_EXPORT void* pvalloc(size_t size) {
    if (size > SIZE_MAX - kPage) {
        errno = ENOMEM;
        return nullptr;
    }
    return memalign(kPage, size == 0 ? kPage : (size + kPage - 1) & ~(kPage - 1));
}

MPOL_EXPORT size_t malloc_usable_size(void* pointer) {
    return je_malloc_usable_size(pointer);
}

MPOL_EXPORT void free_sized(void* pointer, size_t) {
    free(pointer);
}

MPOL_EXPORT void free_aligned_sized(void* pointer, size_t, size_t) {
    free(pointer);
}

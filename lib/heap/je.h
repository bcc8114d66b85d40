// SPDX-License-Identifier: Apache-2.0
// jemalloc's public functions under the names they are linked in by (je_*). See jemalloc(3).
#pragma once

#include <sys/types.h>

#include <cstddef>

extern "C" {
void* je_malloc(size_t size);
void* je_calloc(size_t count, size_t size);
void* je_realloc(void* pointer, size_t size);
void je_free(void* pointer);
int je_posix_memalign(void** ret_pointer, size_t alignment, size_t size);
void* je_aligned_alloc(size_t alignment, size_t size);
void* je_memalign(size_t alignment, size_t size);
void* je_valloc(size_t size);
size_t je_malloc_usable_size(void* pointer);
void* je_mallocx(size_t size, int flags);
void* je_rallocx(void* pointer, size_t size, int flags);
size_t je_xallocx(void* pointer, size_t size, size_t extra, int flags);
size_t je_sallocx(const void* pointer, int flags);
void je_dallocx(void* pointer, int flags);
void je_sdallocx(void* pointer, size_t size, int flags);
// Private to jemalloc, and what its own sized operator delete calls.
void je_je_sdallocx_noflags(void* pointer, size_t size);
// Private to jemalloc: where je_free and sized delete go on when the thread's cache can't serve.
void je_free_default(void* pointer);
void je_sdallocx_default(void* pointer, size_t size, int flags);
size_t je_nallocx(size_t size, int flags);
int je_mallctl(const char* name, void* old, size_t* old_size, void* new_value, size_t new_size);
int je_mallctlnametomib(const char* name, size_t* mib, size_t* length);
int je_mallctlbymib(const size_t* mib, size_t length, void* old, size_t* old_size, void* new_value,
                    size_t new_size);
// Private to jemalloc (src/arena.c, arena_choose_maybe_huge): a thread on an automatic arena takes
// allocations of at least so many bytes from the arena of that index. rename-jemalloc makes the
// second one visible.
extern size_t je_oversize_threshold;
extern unsigned je_huge_arena_ind;
// Private to jemalloc (src/tcache.c): how many bytes a thread allocates from one trimming of its
// cache to the next.
extern size_t je_opt_tcache_gc_incr_bytes;
// Private to jemalloc (src/arena.c). internal: threads that have it for jemalloc's own objects. The
// sums may be those of a moment ago; no lock is taken.
struct je_arena;
extern struct je_arena* je_arenas[];  // by index; null where there is none
unsigned je_narenas_total_get(void);
unsigned je_arena_nthreads_get(struct je_arena* arena, bool internal);
void je_arena_decay(void* tsdn, struct je_arena* arena, bool in_background, bool all);
void je_arena_basic_stats_merge(void* tsdn, struct je_arena* arena, unsigned* threads,
                                const char** dss, ssize_t* dirty_decay_ms, ssize_t* muzzy_decay_ms,
                                size_t* active_pages, size_t* dirty_pages, size_t* muzzy_pages);
// Private to jemalloc (src/jemalloc.c, src/tcache.c): binds the thread of that tsd to an arena; empties
// its cache; fills a bin of it and takes one object from there; ends it. rename-jemalloc has named the
// last two.
je_arena* je_arena_choose_hard(void* tsd, bool internal);
void je_tcache_flush(void* tsd);
void* mpol_tcache_fill(void* tsdn, je_arena* arena, void* cache, void* bin, unsigned bin_index,
                       bool* ret_success);
void mpol_tcache_end(void* tsd);
// The calling thread's tsd.
extern __thread char je_tsd_tls[] __attribute__((tls_model("initial-exec"), visibility("hidden")));
// Private to jemalloc (src/extent.c, src/inspect.c): gives an extent's pages back and makes it available;
// the size of the extent that the address lies in.
struct je_edata;
void je_extent_dalloc_wrapper(void* tsdn, void* pac, void* ehooks, struct je_edata* extent);
void je_inspect_extent_util_stats_get(void* tsdn, const void* address, size_t* free_count,
                                      size_t* count, size_t* size);
void je_malloc_stats_print(void (*write)(void*, const char*), void* opaque, const char* options);
}

namespace mpol::heap {

// jemalloc.h's flag encodings.
constexpr int arena_flag(unsigned arena) {
    return static_cast<int>((arena + 1) << 20);
}
inline constexpr int kNoTcache = 1 << 8;  // MALLOCX_TCACHE_NONE: MALLOCX_TCACHE(-1)
inline constexpr size_t kSmallBytesMax = size_t{14} << 10;  // Beyond, each object is an extent.

using ExtentAlloc = void*(struct ExtentHooks*, void* new_addr, size_t size, size_t alignment,
                          bool* zero, bool* commit, unsigned arena);
using ExtentDalloc = bool(ExtentHooks*, void*, size_t, bool committed, unsigned arena);
using ExtentDestroy = void(ExtentHooks*, void*, size_t, bool committed, unsigned arena);
using ExtentRange = bool(ExtentHooks*, void*, size_t, size_t offset, size_t length, unsigned arena);
using ExtentSplit = bool(ExtentHooks*, void*, size_t, size_t, size_t, bool committed,
                         unsigned arena);
using ExtentMerge = bool(ExtentHooks*, void*, size_t, void*, size_t, bool committed,
                         unsigned arena);

// extent_hooks_t of jemalloc.h; a null member opts out.
struct ExtentHooks {
    ExtentAlloc* alloc;
    ExtentDalloc* dalloc;
    ExtentDestroy* destroy;
    ExtentRange* commit;
    ExtentRange* decommit;
    ExtentRange* purge_lazy;
    ExtentRange* purge_forced;
    ExtentSplit* split;
    ExtentMerge* merge;
};

}  // namespace mpol::heap

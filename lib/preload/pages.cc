// SPDX-License-Identifier: Apache-2.0
// What jemalloc calls instead of mmap, munmap and madvise, and to make pages zero (its archive is
// linked with those names changed, rename-jemalloc). All that its automatic arenas map, arena 0 and
// metadata included, is carved from the process's regions, while those arenas keep jemalloc's own
// extent code: nothing on its paths is indirect that was direct before.
#include <sys/mman.h>

#include <cerrno>
#include <cstring>

#include "heap/notify.h"
#include "heap/purge.h"
#include "heap/regions.h"
#include "heap/scopes.h"
#include "sys/sys.h"

using namespace mpol;

namespace {

constexpr size_t kPage = 4096;
constexpr size_t kHugePage = size_t{2} << 20;

// Commit and decommit, which jemalloc does where the kernel does not overcommit: a new mapping
// there would lose the region's policy.
void* recommit(void* at, size_t size, int prot) {
    if (prot == PROT_NONE) heap::give_back_pages(at, size, MADV_DONTNEED);
    const heap::Inside inside(heap::scope_at(heap::owner_of(at)).growth);
    const heap::Notice notice(prot == PROT_NONE ? MPOL_EVENT_UNMAP : MPOL_EVENT_MAP, at, size);
    const int err = sys::protect(at, size, prot);
    if (err == 0) return at;
    errno = -err;
    return MAP_FAILED;
}

}  // namespace

extern "C" {
void je_ehooks_default_zero_impl(void* at, size_t size);  // Private to jemalloc (src/ehooks.c).

void* mpol_pages_mmap(void* at, size_t size, int prot, int flags, int, off_t) {
    if ((flags & MAP_FIXED) != 0) return recommit(at, size, prot);
    // jemalloc hopes to grow an extent in place; it maps elsewhere when it can't.
    void* got = at != nullptr ? nullptr
                              : heap::carve(heap::kProcessScope, size,
                                            size % kHugePage == 0 ? kHugePage : kPage);
    if (got == nullptr) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    if (prot == PROT_NONE) sys::protect(got, size, PROT_NONE);
    return got;
}

int mpol_pages_munmap(void* at, size_t size) {
    if (heap::uncarve(at, size)) return 0;
    const heap::Inside inside(heap::scope_at(heap::kProcessScope).growth);
    const heap::Notice notice(MPOL_EVENT_UNMAP, at, size);
    const int err = sys::unmap(at, size);
    if (err == 0) return 0;
    errno = -err;
    return -1;
}

int mpol_pages_madvise(void* at, size_t size, int advice) {
    const bool loses_pages =
        advice == MADV_DONTNEED || advice == MADV_FREE || advice == MADV_REMOVE;
    const int err =
        loses_pages ? heap::give_back_pages(at, size, advice) : sys::advise(at, size, advice);
    if (advice == MADV_DONTNEED) heap::note_given_back(size);
    if (err == 0) return 0;
    errno = -err;
    return -1;
}

// Pages that are used again for a block that has to be zero. jemalloc gives them back, of whatever
// size: a system call, one to each processor that the process runs on, and a fault for each page
// are more than writing a few pages is. Each thread's cache is such a block, of 32 KiB.
void mpol_pages_zero(void* at, size_t size) {
    constexpr size_t kWrittenMax = size_t{128} << 10;
    if (size > kWrittenMax) return je_ehooks_default_zero_impl(at, size);
    std::memset(at, 0, size);
}
}

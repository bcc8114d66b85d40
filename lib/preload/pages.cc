// SPDX-License-Identifier: Apache-2.0
// What jemalloc calls instead of mmap and munmap (its archive is linked with those names changed,
// rename-jemalloc). All that its automatic arenas map, arena 0 and metadata included, is carved
// from the process's regions, while those arenas keep jemalloc's own extent code: nothing on its
// paths is indirect that was direct before.
#include <sys/mman.h>

#include <cerrno>

#include "heap/regions.h"
#include "sys/sys.h"

namespace {

constexpr size_t kPage = 4096;
constexpr size_t kHugePage = size_t{2} << 20;

// Commit and decommit, which jemalloc does where the kernel does not overcommit: a new mapping
// there would lose the region's policy.
void* recommit(void* at, size_t size, int prot) {
    if (prot == PROT_NONE) mpol::sys::advise(at, size, MADV_DONTNEED);
    const int err = mpol::sys::protect(at, size, prot);
    if (err == 0) return at;
    errno = -err;
    return MAP_FAILED;
}

}  // namespace

extern "C" {

void* mpol_pages_mmap(void* at, size_t size, int prot, int flags, int, off_t) {
    if ((flags & MAP_FIXED) != 0) return recommit(at, size, prot);
    // jemalloc hopes to grow an extent in place; it maps elsewhere when it can't.
    void* got = at != nullptr ? nullptr
                              : mpol::heap::carve(mpol::heap::kProcessScope, size,
                                                  size % kHugePage == 0 ? kHugePage : kPage);
    if (got == nullptr) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    if (prot == PROT_NONE) mpol::sys::protect(got, size, PROT_NONE);
    return got;
}

int mpol_pages_munmap(void* at, size_t size) {
    if (mpol::heap::uncarve(at, size)) return 0;
    const int err = mpol::sys::unmap(at, size);
    if (err == 0) return 0;
    errno = -err;
    return -1;
}
}

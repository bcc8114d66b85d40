// SPDX-License-Identifier: Apache-2.0
// mmap(2) in front of the C library's: what the program maps itself, private and anonymous, is
// bound as the kind says. Programs that make the system call themselves (Go) don't come by; what
// they have mapped is found at each rewrite (heap/kind_ranges.h).
//
// While the kind is off, for the process and for the thread, this is the call behind it and three
// loads. Async-signal-safe, as mmap is in practice; may be called before the constructor ran.
#include <dlfcn.h>
#include <sys/mman.h>

#include <atomic>
#include <cerrno>

#include "heap/kinds.h"
#include "preload/process.h"
#include "sys/sys.h"

namespace mpol::preload {
namespace {

using Mmap = void*(void*, size_t, int, int, int, off_t);

void* map_by_kernel(void* at, size_t size, int prot, int flags, int fd, off_t offset) {
    const long got = sys::map(at, size, prot, flags, fd, offset);
    if (got >= 0 || got < -4095) return reinterpret_cast<void*>(got);
    errno = static_cast<int>(-got);
    return MAP_FAILED;
}

// The kernel until the constructor has found the next library's, which may be another interposer's.
constinit std::atomic<Mmap*> next_mmap{map_by_kernel};

// The kernel rounds huge pages' mappings up; a part of one can't be bound.
constexpr size_t mapped_bytes(size_t size, int flags) {
    constexpr unsigned kDefaultShift = 21;
    const unsigned asked = static_cast<unsigned>(flags) >> MAP_HUGE_SHIFT & MAP_HUGE_MASK;
    const unsigned shift = (flags & MAP_HUGETLB) == 0 ? 12 : asked != 0 ? asked : kDefaultShift;
    const size_t unit = size_t{1} << shift;
    return (size + unit - 1) & ~(unit - 1);
}

[[gnu::cold, gnu::noinline]] void bind_new(void* at, size_t size, int flags) {
    constexpr int kKind = MAP_PRIVATE | MAP_ANONYMOUS;
    constexpr int kOthers = MAP_SHARED | MAP_STACK | MAP_GROWSDOWN;
    if (at == MAP_FAILED || (flags & (kKind | kOthers)) != kKind) return;
    heap::bind_mapping(at, mapped_bytes(size, flags));
}

}  // namespace

void resolve_mmap() {
    void* const symbol = dlsym(RTLD_NEXT, "mmap");
    if (symbol == nullptr) return;
    next_mmap.store(reinterpret_cast<Mmap*>(symbol), std::memory_order_release);
}

}  // namespace mpol::preload

// By other names here, because the header may have given mmap64's to mmap.
extern "C" [[gnu::visibility("default")]] void* mpol_mmap(void* at, size_t size, int prot,
                                                          int flags, int fd, off_t offset) noexcept
    asm("mmap");
extern "C" [[gnu::visibility("default"), gnu::alias("mmap")]] void* mpol_mmap64(
    void* at, size_t size, int prot, int flags, int fd, off_t offset) noexcept asm("mmap64");

void* mpol_mmap(void* at, size_t size, int prot, int flags, int fd, off_t offset) noexcept {
    using namespace mpol;
    void* const got = preload::next_mmap.load(std::memory_order_acquire)(at, size, prot, flags, fd,
                                                                         offset);
    // Afterwards: a rewrite that comes in between finds the mapping there already.
    if (__builtin_expect(heap::mappings_concerned(), 0)) {
        preload::bind_new(got, size, flags);
    }
    return got;
}

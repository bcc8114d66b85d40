// SPDX-License-Identifier: Apache-2.0
// mmap(2) in front of the C library's: what the program maps itself, private and anonymous, is
// bound as the kind says. Programs that make the system call themselves (Go) don't come by; what
// they have mapped is found at each rewrite (heap/kind_ranges.h). munmap(2) and mremap(2): what a
// thread has placed as its own goes, and moves, with its mapping (heap/placed.h).
//
// While the kind is off, for the process and for the thread, this is the call behind it and four
// loads; munmap and mremap are the call and one, until some thread has placed something.
// Async-signal-safe, as mmap is in practice; may be called before the constructor ran.
#include <dlfcn.h>
#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>

#include "heap/kinds.h"
#include "heap/placed.h"
#include "preload/process.h"
#include "preload/remap.h"
#include "sys/sys.h"

namespace mpol::preload {
namespace {

using Mmap = void*(void*, size_t, int, int, int, off_t);
using Munmap = int(void*, size_t);
using Mremap = void*(void*, size_t, size_t, int, ...);

void* as_libc(long got) {
    if (!sys::is_error(got)) return reinterpret_cast<void*>(got);
    errno = static_cast<int>(-got);
    return MAP_FAILED;
}

void* map_by_kernel(void* at, size_t size, int prot, int flags, int fd, off_t offset) {
    return as_libc(sys::map(at, size, prot, flags, fd, offset));
}

int unmap_by_kernel(void* at, size_t size) {
    return as_libc(sys::unmap(at, size)) == MAP_FAILED ? -1 : 0;
}

// The address counts with these flags only, and without them there may be none.
constexpr int kNamesAddress = MREMAP_FIXED | MREMAP_DONTUNMAP;

void* remap_by_kernel(void* from, size_t from_size, size_t size, int flags, ...) {
    void* to = nullptr;
    va_list rest;
    va_start(rest, flags);
    if ((flags & kNamesAddress) != 0) to = va_arg(rest, void*);
    va_end(rest);
    return as_libc(sys::remap(from, from_size, size, flags, to));
}

// The kernel until the constructor has found the next library's, which may be another interposer's.
constinit std::atomic<Mmap*> next_mmap{map_by_kernel};
constinit std::atomic<Munmap*> next_munmap{unmap_by_kernel};
constinit std::atomic<Mremap*> next_mremap{remap_by_kernel};

template <class Function>
void resolve(const char* name, std::atomic<Function*>& ret_next) {
    void* const symbol = dlsym(RTLD_NEXT, name);
    if (symbol == nullptr) return;
    ret_next.store(reinterpret_cast<Function*>(symbol), std::memory_order_release);
}

bool something_is_placed() {
    return __builtin_expect(heap::placed_ever.load(std::memory_order_acquire), 0);
}

void forget(const void* at, size_t size) {
    const auto start = reinterpret_cast<uintptr_t>(at);
    heap::forget_placed(start, start + size);
}

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

[[gnu::cold, gnu::noinline]] int unmap_placed(void* at, size_t size) {
    const heap::Lifted lifted(at, whole_pages(size));
    const int result = next_munmap.load(std::memory_order_acquire)(at, size);
    if (result != 0) lifted.put_back();
    return result;
}

// The call behind, and what follows where a rewrite has the range in several mappings.
void* remap(void* from, size_t from_size, size_t size, int flags, void* to) {
    const int errno_before = errno;
    void* got = next_mremap.load(std::memory_order_acquire)(from, from_size, size, flags, to);
    if (got != MAP_FAILED || errno != EFAULT) return got;
    if (!something_is_placed() && !heap::mappings_concerned()) return got;
    got = as_libc(remap_pieces(static_cast<char*>(from), from_size, size, flags, to));
    if (got != MAP_FAILED) errno = errno_before;
    return got;
}

[[gnu::cold, gnu::noinline]] void* remap_placed(void* from, size_t from_size, size_t size,
                                                int flags, void* to) {
    const auto start = reinterpret_cast<uintptr_t>(from);
    // Where it only shrinks, what stays is not touched: it may be several mappings.
    const bool shrinks =
        whole_pages(size) <= whole_pages(from_size) && (flags & kNamesAddress) == 0;
    const size_t stays = shrinks ? whole_pages(size) : 0;
    const int errno_before = errno;
    const heap::Lifted lifted(static_cast<char*>(from) + stays, whole_pages(from_size) - stays);
    void* const got = remap(from, from_size, size, flags, to);
    const int err = errno;
    if (got == MAP_FAILED || (flags & MREMAP_DONTUNMAP) != 0) lifted.put_back();
    if (got != MAP_FAILED && !shrinks) {
        if (reinterpret_cast<uintptr_t>(got) != start) forget(got, whole_pages(size));
        lifted.move_to(reinterpret_cast<uintptr_t>(got), whole_pages(size));
    }
    errno = got == MAP_FAILED ? err : errno_before;
    return got;
}

}  // namespace

void resolve_mmap() {
    resolve("mmap", next_mmap);
    resolve("munmap", next_munmap);
    resolve("mremap", next_mremap);
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
    void* const got =
        preload::next_mmap.load(std::memory_order_acquire)(at, size, prot, flags, fd, offset);
    if (preload::something_is_placed() && got != MAP_FAILED) {
        preload::forget(got, preload::mapped_bytes(size, flags));  // What was there is gone.
    }
    // Afterwards: a rewrite that comes in between finds the mapping there already.
    if (__builtin_expect(heap::mappings_concerned(), 0)) {
        preload::bind_new(got, size, flags);
    }
    return got;
}

extern "C" [[gnu::visibility("default")]] int munmap(void* at, size_t size) noexcept {
    using namespace mpol;
    if (preload::something_is_placed()) return preload::unmap_placed(at, size);
    return preload::next_munmap.load(std::memory_order_acquire)(at, size);
}

extern "C" [[gnu::visibility("default")]] void* mremap(void* from, size_t from_size, size_t size,
                                                       int flags, ...) noexcept {
    using namespace mpol;
    void* to = nullptr;
    va_list rest;
    va_start(rest, flags);
    if ((flags & preload::kNamesAddress) != 0) to = va_arg(rest, void*);
    va_end(rest);
    if (preload::something_is_placed()) {
        return preload::remap_placed(from, from_size, size, flags, to);
    }
    return preload::remap(from, from_size, size, flags, to);
}

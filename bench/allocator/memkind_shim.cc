// SPDX-License-Identifier: Apache-2.0
// memkind has functions of its own and no preloadable malloc family, so this makes one of them,
// with as little in between as there can be: malloc is memkind_malloc(MEMKIND_DEFAULT), its fastest
// kind, or with MEMKIND_SHIM_KIND=regular MEMKIND_REGULAR, its kind that is bound to nodes. What
// memkind allocates while it starts, and whoever starts before it, comes from a small static buffer
// and is never freed.
#include <malloc.h>
#include <stdint.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>

extern "C" {
// Of <memkind.h>, which is in a package of its own.
struct memkind;
using memkind_t = memkind*;
extern memkind_t MEMKIND_DEFAULT;
extern memkind_t MEMKIND_REGULAR;
void* memkind_malloc(memkind_t kind, size_t size);
void* memkind_calloc(memkind_t kind, size_t num, size_t size);
int memkind_posix_memalign(memkind_t kind, void** memptr, size_t alignment, size_t size);
void* memkind_realloc(memkind_t kind, void* ptr, size_t size);
void memkind_free(memkind_t kind, void* ptr);
size_t memkind_malloc_usable_size(memkind_t kind, void* ptr);
}

namespace {

alignas(64) char early[1 << 20];
size_t early_used;
constexpr size_t kAlignment = 16;
memkind_t kind;  // null until it has started

bool is_early(const void* pointer) {
    const auto at = reinterpret_cast<uintptr_t>(pointer);
    return at - reinterpret_cast<uintptr_t>(early) < sizeof(early);
}
void* get_early(size_t size, size_t alignment) {
    const size_t at = (early_used + alignment - 1) & ~(alignment - 1);
    if (at > sizeof(early) || size > sizeof(early) - at) return nullptr;
    early_used = at + size;
    return early + at;
}

inline bool started() {
    return __builtin_expect(kind != nullptr, 1);
}

// After libnuma's own constructor, which memkind's kinds ask for nodes.
__attribute__((constructor)) void start() {
    const char* const name = std::getenv("MEMKIND_SHIM_KIND");
    const bool regular = name != nullptr && std::strcmp(name, "regular") == 0;
    memkind_t const wanted = regular ? MEMKIND_REGULAR : MEMKIND_DEFAULT;
    memkind_free(wanted, memkind_malloc(wanted, 1));
    kind = wanted;
}

}  // namespace

extern "C" {

void* malloc(size_t size) {
    return started() ? memkind_malloc(kind, size) : get_early(size, kAlignment);
}
void free(void* pointer) {
    if (pointer != nullptr && !is_early(pointer)) memkind_free(kind, pointer);
}
void* calloc(size_t count, size_t size) {
    return started() ? memkind_calloc(kind, count, size) : get_early(count * size, kAlignment);
}
void* realloc(void* pointer, size_t size) {
    if (started() && !is_early(pointer)) return memkind_realloc(kind, pointer, size);
    void* const moved = malloc(size);
    const size_t there = static_cast<size_t>(early + sizeof(early) - static_cast<char*>(pointer));
    if (pointer != nullptr && moved != nullptr)
        std::memmove(moved, pointer, size < there ? size : there);
    return moved;
}
int posix_memalign(void** ret_pointer, size_t alignment, size_t size) {
    if (started()) return memkind_posix_memalign(kind, ret_pointer, alignment, size);
    *ret_pointer = get_early(size, alignment);
    return *ret_pointer != nullptr ? 0 : ENOMEM;
}
void* aligned_alloc(size_t alignment, size_t size) {
    void* pointer = nullptr;
    const size_t least = alignment < sizeof(void*) ? sizeof(void*) : alignment;
    errno = posix_memalign(&pointer, least, size);
    return pointer;
}
void* memalign(size_t alignment, size_t size) {
    return aligned_alloc(alignment, size);
}
size_t malloc_usable_size(void* pointer) {
    return pointer == nullptr || is_early(pointer) ? 0 : memkind_malloc_usable_size(kind, pointer);
}

}  // extern "C"

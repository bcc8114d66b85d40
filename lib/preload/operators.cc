// SPDX-License-Identifier: Apache-2.0
// All replaceable operators of C++ (sized, aligned, nothrow), on the same path as malloc. A program
// that links libjemalloc finds its operators there, so none may be missing here.
//
// This library has no C++ runtime of its own. When memory runs out, the new-handler and bad_alloc
// are those of the runtime that the program has; it is looked up only then.
#include <dlfcn.h>

#include <cstdlib>
#include <new>

#include "heap/je.h"
#include "preload/foreign.h"
#include "preload/slow_path.h"

#define MPOL_EXPORT [[gnu::visibility("default")]]

using mpol::preload::allocate_own_large;
using mpol::preload::is_own_large;
using mpol::preload::release;
using mpol::preload::SlowPath;
using mpol::preload::Way;
using mpol::preload::way_of;

namespace {

using Handler = void (*)();
using GetHandler = Handler (*)();
using Throw = void (*)();

// In the caller's own runtime first: it may have been loaded with RTLD_LOCAL.
void* find(const char* symbol, void* caller) {
    void* found = dlsym(RTLD_DEFAULT, symbol);
    Dl_info where{};
    if (found != nullptr || dladdr(caller, &where) == 0) return found;
    void* const library = dlopen(where.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
    if (library == nullptr) return nullptr;
    found = dlsym(library, symbol);
    dlclose(library);
    return found;
}

Handler current_handler(void* caller) {
    const auto get = reinterpret_cast<GetHandler>(find("_ZSt15get_new_handlerv", caller));
    return get != nullptr ? get() : nullptr;
}

// What [new.delete.single] prescribes: the handler until it succeeds, throws, or is no more.
template <class Try>
[[gnu::cold, gnu::noinline]] void* out_of_memory(Try attempt, bool nothrow, void* caller) {
    while (const Handler handler = current_handler(caller)) {
        handler();
        if (void* pointer = attempt()) return pointer;
    }
    if (nothrow) return nullptr;
    if (const auto raise = reinterpret_cast<Throw>(find("_ZSt17__throw_bad_allocv", caller))) {
        raise();
    }
    std::abort();  // A program that calls operator new without any C++ runtime.
}

[[gnu::cold, gnu::noinline]] void* new_failed(size_t size, bool nothrow, void* caller) {
    return out_of_memory([size] { return je_malloc(size); }, nothrow, caller);
}

[[gnu::cold, gnu::noinline]] void* allocate_slow(size_t size, bool nothrow, void* caller) {
    const SlowPath slow_path;
    void* pointer = is_own_large(size) ? allocate_own_large(size) : je_malloc(size);
    return pointer != nullptr ? pointer : new_failed(size, nothrow, caller);
}

[[gnu::always_inline]] inline void* allocate_current(size_t size, bool nothrow, void* caller) {
    // Kept on the stack, where it costs one store: in a register it would cost three instructions.
    volatile size_t wanted = size;
    void* pointer = je_malloc(size);
    if (__builtin_expect(pointer == nullptr, 0)) return new_failed(wanted, nothrow, caller);
    return pointer;
}

[[gnu::always_inline]] inline void* allocate(size_t size, bool nothrow) {
    void* const caller = __builtin_return_address(0);
    if (way_of(size) == Way::kSlow) return allocate_slow(size, nothrow, caller);
    return allocate_current(size, nothrow, caller);
}

void* try_aligned(size_t size, std::align_val_t alignment) {
    void* pointer = nullptr;
    const size_t least = sizeof(void*);
    const auto wanted = static_cast<size_t>(alignment);
    return je_posix_memalign(&pointer, wanted < least ? least : wanted, size) == 0 ? pointer
                                                                                   : nullptr;
}

[[gnu::cold, gnu::noinline]] void* try_aligned_slow(size_t size, std::align_val_t alignment) {
    const SlowPath slow_path;
    if (is_own_large(size)) return allocate_own_large(size, static_cast<size_t>(alignment));
    return try_aligned(size, alignment);
}

void* allocate_aligned(size_t size, std::align_val_t alignment, bool nothrow, void* caller) {
    const bool current = mpol::preload::up_to_date();
    void* pointer = current ? try_aligned(size, alignment) : try_aligned_slow(size, alignment);
    if (pointer != nullptr) return pointer;
    return out_of_memory([=] { return try_aligned(size, alignment); }, nothrow, caller);
}

}  // namespace

#ifdef MPOL_FAST_PATH
// Where fast_path.S goes on, with the return address of its own caller.
extern "C" [[gnu::used, gnu::visibility("hidden")]] void* mpol_new_slow(size_t size) {
    return allocate_slow(size, false, __builtin_return_address(0));
}
extern "C" [[gnu::used, gnu::visibility("hidden")]] void* mpol_new_default(size_t size) {
    return allocate_current(size, false, __builtin_return_address(0));
}
#else
MPOL_EXPORT void* operator new(size_t size) {
    return allocate(size, false);
}
MPOL_EXPORT void* operator new[](size_t size) {
    return allocate(size, false);
}
MPOL_EXPORT void operator delete(void* pointer) noexcept {
    release(pointer);
}
MPOL_EXPORT void operator delete[](void* pointer) noexcept {
    release(pointer);
}
MPOL_EXPORT void operator delete(void* pointer, size_t size) noexcept {
    release(pointer, size);
}
MPOL_EXPORT void operator delete[](void* pointer, size_t size) noexcept {
    release(pointer, size);
}
#endif

MPOL_EXPORT void* operator new(size_t size, const std::nothrow_t&) noexcept {
    return allocate(size, true);
}
MPOL_EXPORT void* operator new[](size_t size, const std::nothrow_t&) noexcept {
    return allocate(size, true);
}
MPOL_EXPORT void* operator new(size_t size, std::align_val_t alignment) {
    return allocate_aligned(size, alignment, false, __builtin_return_address(0));
}
MPOL_EXPORT void* operator new[](size_t size, std::align_val_t alignment) {
    return allocate_aligned(size, alignment, false, __builtin_return_address(0));
}
MPOL_EXPORT void* operator new(size_t size, std::align_val_t alignment,
                               const std::nothrow_t&) noexcept {
    return allocate_aligned(size, alignment, true, __builtin_return_address(0));
}
MPOL_EXPORT void* operator new[](size_t size, std::align_val_t alignment,
                                 const std::nothrow_t&) noexcept {
    return allocate_aligned(size, alignment, true, __builtin_return_address(0));
}

MPOL_EXPORT void operator delete(void* pointer, const std::nothrow_t&) noexcept {
    release(pointer);
}
MPOL_EXPORT void operator delete[](void* pointer, const std::nothrow_t&) noexcept {
    release(pointer);
}
MPOL_EXPORT void operator delete(void* pointer, std::align_val_t) noexcept {
    release(pointer);
}
MPOL_EXPORT void operator delete[](void* pointer, std::align_val_t) noexcept {
    release(pointer);
}
MPOL_EXPORT void operator delete(void* pointer, std::align_val_t, const std::nothrow_t&) noexcept {
    release(pointer);
}
MPOL_EXPORT void operator delete[](void* pointer, std::align_val_t,
                                   const std::nothrow_t&) noexcept {
    release(pointer);
}
MPOL_EXPORT void operator delete(void* pointer, size_t, std::align_val_t) noexcept {
    release(pointer);
}
MPOL_EXPORT void operator delete[](void* pointer, size_t, std::align_val_t) noexcept {
    release(pointer);
}

// SPDX-License-Identifier: Apache-2.0
#include "preload/entries.h"

#include <sys/mman.h>

#include <cstdint>

#include "heap/je.h"
#include "heap/scopes.h"
#include "preload/foreign.h"
#include "sys/sys.h"

namespace mpol::preload {

constinit Entries entries
    __attribute__((section(".data.rel.ro"))) = {je_free, je_je_sdallocx_noflags};

namespace {

constexpr size_t kPage = 4096;

// Apart, so that the owner's path is a leaf.
[[gnu::noinline]] void free_others(void* pointer) {
    return is_foreign(pointer) ? free_foreign(pointer) : je_free(pointer);
}

[[gnu::noinline]] void free_sized_others(void* pointer, size_t size) {
    return is_foreign(pointer) ? free_foreign(pointer) : je_je_sdallocx_noflags(pointer, size);
}

void free_checked(void* pointer) {
    return is_surely_own(pointer) ? je_free(pointer) : free_others(pointer);
}

void free_sized_checked(void* pointer, size_t size) {
    return is_surely_own(pointer) ? je_je_sdallocx_noflags(pointer, size)
                                  : free_sized_others(pointer, size);
}

// Turns the owner check on, for good. False when the kernel refuses; nothing has changed then.
bool turn_on_owner_check() {
    const auto first = reinterpret_cast<uintptr_t>(&entries) & ~(kPage - 1);
    const auto last = (reinterpret_cast<uintptr_t>(&entries + 1) - 1) & ~(kPage - 1);
    auto* const page = reinterpret_cast<void*>(first);
    const size_t size = last - first + kPage;
    if (sys::protect(page, size, PROT_READ | PROT_WRITE) != 0) return false;
    __atomic_store_n(&entries.free, &free_checked, __ATOMIC_RELEASE);
    __atomic_store_n(&entries.free_sized, &free_sized_checked, __ATOMIC_RELEASE);
    sys::protect(page, size, PROT_READ);
    return true;
}

}  // namespace
}  // namespace mpol::preload

bool mpol::heap::prepare_several_scopes() {
    return mpol::preload::turn_on_owner_check();
}

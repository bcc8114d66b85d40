// SPDX-License-Identifier: Apache-2.0
// A partial family kills: memory of one allocator must never reach another's free.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "subject.h"

namespace mpol::test {
namespace {

constexpr const char* kNames[] = {
    // malloc(3), posix_memalign(3), C23
    "malloc", "free", "calloc", "realloc", "reallocarray", "posix_memalign", "aligned_alloc",
    "memalign", "valloc", "pvalloc", "malloc_usable_size", "free_sized", "free_aligned_sized",
    // jemalloc(3)
    "mallocx", "rallocx", "xallocx", "sallocx", "dallocx", "sdallocx", "nallocx", "mallctl",
    "mallctlnametomib", "mallctlbymib", "malloc_stats_print",
    // operator new and new[]: plain, nothrow, aligned, aligned nothrow
    "_Znwm", "_Znam", "_ZnwmRKSt9nothrow_t", "_ZnamRKSt9nothrow_t", "_ZnwmSt11align_val_t",
    "_ZnamSt11align_val_t", "_ZnwmSt11align_val_tRKSt9nothrow_t",
    "_ZnamSt11align_val_tRKSt9nothrow_t",
    // operator delete and delete[]: plain, nothrow, sized, aligned, aligned nothrow, sized aligned
    "_ZdlPv", "_ZdaPv", "_ZdlPvRKSt9nothrow_t", "_ZdaPvRKSt9nothrow_t", "_ZdlPvm", "_ZdaPvm",
    "_ZdlPvSt11align_val_t", "_ZdaPvSt11align_val_t", "_ZdlPvSt11align_val_tRKSt9nothrow_t",
    "_ZdaPvSt11align_val_tRKSt9nothrow_t", "_ZdlPvmSt11align_val_t", "_ZdaPvmSt11align_val_t",
};

}  // namespace

SUBJECT(where_names_are) {
    for (const char* name : kNames) {
        Dl_info where{};
        void* const address = dlsym(RTLD_DEFAULT, name);
        if (address != nullptr) dladdr(address, &where);
        say("%s %s", name, where.dli_fname != nullptr ? where.dli_fname : "nowhere");
    }
    return 0;
}

TEST(Names, AllResolveToThisLibrary) {
    Subject subject("where_names_are");
    for (const char* name : kNames) EXPECT_EQ(subject.hear(name), MPOL_PRELOAD_LIBRARY) << name;
    EXPECT_EQ(subject.finish(), 0);
}

// Every way to get memory, given to every way to give it back that the standards allow.
SUBJECT(mix_names) {
    free(pvalloc(1));
    free(memalign(64, 100));
    free(valloc(100));
    free(aligned_alloc(64, 128));
    free(reallocarray(nullptr, 3, 5));
    void* memory = nullptr;
    if (posix_memalign(&memory, 4096, 10) != 0) return 1;
    free(realloc(memory, 100'000));
    using FreeSized = void(void*, size_t);
    using FreeAlignedSized = void(void*, size_t, size_t);
    reinterpret_cast<FreeSized*>(dlsym(RTLD_DEFAULT, "free_sized"))(malloc(77), 77);
    reinterpret_cast<FreeAlignedSized*>(dlsym(RTLD_DEFAULT, "free_aligned_sized"))(
        aligned_alloc(256, 512), 256, 512);
    free(strdup("one"));
    say("usable %zu", malloc_usable_size(memory = malloc(100)));
    free(memory);
    const auto page = reinterpret_cast<uintptr_t>(memory = pvalloc(4097));
    say("pvalloc %zu %zu", static_cast<size_t>(page % 4096), malloc_usable_size(memory));
    free(memory);
    return 0;
}

TEST(Names, FreeEachOthersMemory) {
    Subject subject("mix_names");
    EXPECT_GE(subject.hear_number("usable"), 100U);
    EXPECT_EQ(subject.hear("pvalloc"), "0 8192");
    EXPECT_EQ(subject.finish(), 0);
}

}  // namespace mpol::test

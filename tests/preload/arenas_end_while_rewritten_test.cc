// SPDX-License-Identifier: Apache-2.0
// A program may destroy and reset arenas that it has made (jemalloc(3)), as long as it does not use
// them elsewhere. A rewrite purges all arenas and must not meet one that ends.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstring>

#include "workbench.h"

namespace mpol::test {
namespace {

constexpr unsigned kArenas = 300;
constexpr size_t kBlock = size_t{64} << 10;

template <class Function>
Function* find(const char* name) {
    return reinterpret_cast<Function*>(::dlsym(RTLD_DEFAULT, name));
}
using Mallctl = int(const char*, void*, size_t*, void*, size_t);
using NameToMib = int(const char*, size_t*, size_t*);
using ByMib = int(const size_t*, size_t, void*, size_t*, void*, size_t);
using Mallocx = void*(size_t, int);
using Dallocx = void(void*, int);

// Leaves a few MiB free in the arena, in pieces.
void use(unsigned arena) {
    static auto* const mallocx = find<Mallocx>("mallocx");
    static auto* const dallocx = find<Dallocx>("dallocx");
    const int flags = static_cast<int>((arena + 1) << 20) | 1 << 8;  // MALLOCX_ARENA, no cache
    std::array<void*, 64> blocks{};
    for (void*& block : blocks) {
        block = mallocx(kBlock, flags);
        std::memset(block, 1, kBlock);
    }
    for (size_t i = 0; i < blocks.size(); i += 2) dallocx(blocks[i], flags);
    for (size_t i = 1; i < blocks.size(); i += 2) dallocx(blocks[i], flags);
}

bool reset(unsigned arena) {
    size_t mib[3];
    size_t length = std::size(mib);
    if (find<NameToMib>("mallctlnametomib")("arena.0.reset", mib, &length) != 0) return false;
    mib[1] = arena;
    return find<ByMib>("mallctlbymib")(mib, length, nullptr, nullptr, nullptr, 0) == 0;
}

// Arenas that were made and destroyed; each is used twice.
uint64_t end_arenas_verb(uint64_t count, uint64_t, std::string&) {
    static auto* const mallctl = find<Mallctl>("mallctl");
    for (uint64_t i = 0; i < count; ++i) {
        unsigned arena = 0;
        size_t size = sizeof(arena);
        if (mallctl("arenas.create", &arena, &size, nullptr, 0) != 0) return i;
        use(arena);
        if (!reset(arena)) return i;
        use(arena);
        std::array<char, 40> name{};
        std::snprintf(name.data(), name.size(), "arena.%u.destroy", arena);
        if (mallctl(name.data(), nullptr, nullptr, nullptr, 0) != 0) return i;
    }
    return count;
}
const Verb end_arenas_registered("end-arenas", end_arenas_verb);

}  // namespace

TEST(Arenas, EndWhileTheirProcessIsRewritten) {
    Options options;
    options.environment = {"MALLOC_CONF=dirty_decay_ms:-1"};
    Workbench bench(options);
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({0}));
    const Rewriter rewriter(target);
    EXPECT_EQ(bench.run(0, "end-arenas", kArenas), kArenas);
}

}  // namespace mpol::test

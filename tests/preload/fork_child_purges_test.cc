// SPDX-License-Identifier: Apache-2.0
// jemalloc marks an arena that is being purged, and a child that is forked meanwhile would find it
// marked for good: what a rewrite of the child has to give back would stay.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "workbench.h"

namespace mpol::test {
namespace {

constexpr size_t kBlock = size_t{64} << 10;  // No cache takes it.
constexpr size_t kBlocks = 1024;
constexpr unsigned kForks = 60;

int call_mallctl(const char* name, void* old, size_t* old_size, void* value, size_t size) {
    using Mallctl = int(const char*, void*, size_t*, void*, size_t);
    static auto* const mallctl = reinterpret_cast<Mallctl*>(::dlsym(RTLD_DEFAULT, "mallctl"));
    return mallctl(name, old, old_size, value, size);
}

void* touched_block() {
    void* block = std::malloc(kBlock);
    if (block != nullptr) std::memset(block, 1, kBlock);
    return block;
}

// Of what the calling thread has freed, after a purge of its arena; ~0: can't be told.
size_t pages_left_by_a_purge() {
    std::free(touched_block());
    unsigned arena = 0;
    size_t size = sizeof(arena);
    if (call_mallctl("thread.arena", &arena, &size, nullptr, 0) != 0) return ~size_t{0};
    std::array<char, 40> name{};
    std::snprintf(name.data(), name.size(), "arena.%u.purge", arena);
    if (call_mallctl(name.data(), nullptr, nullptr, nullptr, 0) != 0) return ~size_t{0};
    uint64_t epoch = 1;
    call_mallctl("epoch", nullptr, nullptr, &epoch, sizeof(epoch));
    size_t pages = 0;
    size = sizeof(pages);
    std::snprintf(name.data(), name.size(), "stats.arenas.%u.pdirty", arena);
    return call_mallctl(name.data(), &pages, &size, nullptr, 0) == 0 ? pages : ~size_t{0};
}

// Frees every second of many blocks and forks. The child's exit status: it can't purge.
uint64_t fork_with_much_free_verb(uint64_t, uint64_t, std::string&) {
    static std::array<void*, kBlocks> blocks;
    for (void*& block : blocks) block = touched_block();
    for (size_t i = 0; i < kBlocks; i += 2) std::free(blocks[i]);
    const pid_t child = ::fork();
    if (child == 0) ::_exit(pages_left_by_a_purge() == 0 ? 0 : 1);
    int status = 0;
    ::waitpid(child, &status, 0);
    for (size_t i = 1; i < kBlocks; i += 2) std::free(blocks[i]);
    return static_cast<uint64_t>(status);
}
const Verb fork_registered("fork-with-much-free", fork_with_much_free_verb);

}  // namespace

TEST(ForkChild, PurgesThoughItsParentDid) {
    Options options;
    options.environment = {"MALLOC_CONF=dirty_decay_ms:-1"};
    Workbench bench(options);
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({0}));
    const Rewriter rewriter(target);
    unsigned marked = 0;
    for (unsigned i = 0; i < kForks; ++i) marked += bench.run(0, "fork-with-much-free") != 0;
    EXPECT_EQ(marked, 0U) << "of " << kForks << " children can't purge an arena";
}

}  // namespace mpol::test

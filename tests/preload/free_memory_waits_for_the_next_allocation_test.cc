// SPDX-License-Identifier: Apache-2.0
// What jemalloc keeps free, beyond its own defaults: until there is a policy more in threads'
// caches, and from then on, or from a few of them on, blocks of some MiB in the first thread's arena.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include "workbench.h"

namespace mpol::test {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kMiB = size_t{1} << 20;

auto* find_mallctl() {
    using Mallctl = int(const char*, void*, size_t*, void*, size_t);
    return reinterpret_cast<Mallctl*>(::dlsym(RTLD_DEFAULT, "mallctl"));
}

uint64_t trimming_verb(uint64_t, uint64_t, std::string&) {
    size_t bytes = 0;
    size_t size = sizeof(bytes);
    return find_mallctl()("opt.tcache_gc_incr_bytes", &bytes, &size, nullptr, 0) == 0 ? bytes : 0;
}
const Verb trimming_registered("trimming", trimming_verb);

uint64_t give_back_at_verb(uint64_t bytes, uint64_t, std::string&) {
    return find_mallctl()("arena.0.oversize_threshold", nullptr, nullptr, &bytes, sizeof(bytes));
}
const Verb give_back_at_registered("give-back-at", give_back_at_verb);

constexpr uint64_t kSeldom = 1'000'000;
constexpr uint64_t kOften = 65'536;

class FreeBlocks : public ::testing::Test {
  protected:
    // Nothing decays meanwhile; with -1 nothing would be given back at once, either.
    static Options slowly_decayed() {
        Options options;
        options.environment = {"MALLOC_CONF=dirty_decay_ms:10000000"};
        return options;
    }
    // Pages, of the whole ones: a block does not begin at one.
    uint64_t resident_when_freed(size_t size) {
        const uint64_t at = bench_.allocate(Workbench::kMain, size);
        const uint64_t first = (at + kPage) & ~(kPage - 1);
        bench_.touch(Workbench::kMain, at, size);
        EXPECT_EQ(bench_.resident(first, size - kPage), size / kPage - 1);
        bench_.release(Workbench::kMain, at);
        return bench_.resident(first, size - kPage);
    }

    Workbench bench_{slowly_decayed()};
};

}  // namespace

TEST_F(FreeBlocks, GoBackAtOnceAsUnderPlainJemalloc) {
    EXPECT_EQ(resident_when_freed(6 * kMiB), 6 * kMiB / kPage - 1);
    EXPECT_EQ(resident_when_freed(12 * kMiB), 0U);
}

TEST_F(FreeBlocks, OfSomeMebibytesWaitWhereTheyComeOften) {
#ifndef __x86_64__
    GTEST_SKIP() << "only on x86-64 (lib/preload/fast_path.S)";
#endif
    int given_back = 0;
    while (given_back < 100 && resident_when_freed(12 * kMiB) == 0) ++given_back;
    EXPECT_EQ(given_back, 16);
    EXPECT_EQ(resident_when_freed(12 * kMiB), 12 * kMiB / kPage - 1);
    EXPECT_EQ(resident_when_freed(24 * kMiB), 0U);
}

TEST_F(FreeBlocks, WaitAsTheProgramSaysHoweverOftenTheyCome) {
    ASSERT_EQ(bench_.run(Workbench::kMain, "give-back-at", 10 * kMiB), 0U);
    for (int i = 0; i < 40; ++i) EXPECT_EQ(resident_when_freed(12 * kMiB), 0U);
}

TEST_F(FreeBlocks, OfSomeMebibytesWaitForTheNextAllocationUnderAPolicy) {
    control::Target target = bench_.attach();
    bench_.set_all(target, make_policy(Mode::kBind, {0}));
    EXPECT_EQ(resident_when_freed(12 * kMiB), 12 * kMiB / kPage - 1);
    EXPECT_EQ(resident_when_freed(24 * kMiB), 0U);
}

TEST_F(FreeBlocks, WaitAsTheProgramSays) {
    ASSERT_EQ(bench_.run(Workbench::kMain, "give-back-at", 32 * kMiB), 0U);
    control::Target target = bench_.attach();
    bench_.set_all(target, make_policy(Mode::kBind, {0}));
    EXPECT_EQ(resident_when_freed(24 * kMiB), 24 * kMiB / kPage - 1);
}

TEST(Trimming, OfCachesIsSeldomUntilTheProcessHasAPolicy) {
    Workbench bench;
    EXPECT_EQ(bench.run(Workbench::kMain, "trimming"), kSeldom);
    control::Target target = bench.attach();
    bench.set_all(target, make_policy(Mode::kBind, {0}));
    EXPECT_EQ(bench.run(Workbench::kMain, "trimming"), kOften);
}

TEST(Trimming, OfCachesIsSeldomUntilAThreadHasAPolicy) {
    Workbench bench;
    const unsigned worker = bench.start_thread(Workbench::kMain);
    EXPECT_EQ(bench.run(worker, "trimming"), kSeldom);
    control::Target target = bench.attach();
    bench.set_one(target, make_policy(Mode::kBind, {0}), worker);
    EXPECT_EQ(bench.run(worker, "trimming"), kOften);
}

TEST(Trimming, OfCachesIsAsTheProgramSays) {
    Options options;
    options.environment = {"MALLOC_CONF=tcache_gc_incr_bytes:131072"};
    Workbench bench{options};
    EXPECT_EQ(bench.run(Workbench::kMain, "trimming"), 131'072U);
    control::Target target = bench.attach();
    bench.set_all(target, make_policy(Mode::kBind, {0}));
    EXPECT_EQ(bench.run(Workbench::kMain, "trimming"), 131'072U);
}

}  // namespace mpol::test

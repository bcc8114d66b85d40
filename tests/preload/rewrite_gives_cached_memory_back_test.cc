// SPDX-License-Identifier: Apache-2.0
// Free memory that jemalloc has cached was faulted under the old policy. A rewrite gives it back,
// in the threads' caches and in the arenas, so that it is faulted anew; one that is to keep it does
// not.
#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "mpol/mpol.h"
#include "workbench.h"

namespace mpol::test {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kInArena = size_t{1} << 20;   // freed, it becomes a dirty extent
constexpr size_t kInCache = size_t{20} << 10;  // freed, it stays in the thread's cache

class CachedMemory : public ::testing::Test {
  protected:
    // Nothing but a rewrite gives memory back.
    static Options undecayed() {
        Options options;
        options.environment = {"MALLOC_CONF=dirty_decay_ms:-1"};
        return options;
    }

    uint64_t free_touched(unsigned thread, size_t size) {
        const uint64_t at = bench_.allocate(thread, size);
        bench_.touch(thread, at, size);
        bench_.release(thread, at);
        return at;
    }
    // jemalloc does not begin a large object at a page.
    uint64_t resident(uint64_t at, size_t size) { return bench_.resident(at & ~(kPage - 1), size); }

    // Cached and resident, also when the helper has finished with the rewrite before.
    void cache_memory(unsigned thread) {
        ASSERT_TRUE(eventually([&] {
            in_arena_ = free_touched(thread, kInArena);
            in_cache_ = free_touched(thread, kInCache);
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
            return resident(in_arena_, kInArena) == kInArena / kPage &&
                   resident(in_cache_, kInCache) == kInCache / kPage;
        }));
    }
    void expect_kept(unsigned thread) {
        cache_memory(thread);
        target_.set_keep_cached(keep_ = true);
        rewrite(thread);
        bench_.call(thread);
        EXPECT_EQ(resident(in_arena_, kInArena), kInArena / kPage);
        EXPECT_EQ(resident(in_cache_, kInCache), kInCache / kPage);
        EXPECT_EQ(bench_.allocate(thread, kInCache), in_cache_);
    }
    // All of it, sooner or later: a thread's next allocation can be faster than the helper, and
    // have a few pages of it again.
    void expect_given_back(unsigned thread) {
        EXPECT_TRUE(eventually([&] {
            cache_memory(thread);
            target_.set_keep_cached(keep_ = false);
            rewrite(thread);
            // Their second since then. Each has all free memory purged, of a later rewrite, too.
            bench_.call(Workbench::kMain);
            bench_.call(thread);
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
            return resident(in_arena_, kInArena) == 0 && resident(in_cache_, kInCache) == 0;
        }));
    }
    void rewrite(unsigned thread) {
        mode_ = mode_ == Mode::kBind ? Mode::kInterleave : Mode::kBind;
        const Policy policy = make_policy(mode_, {0});
        if (library_ != nullptr) return rewrite_by_library(thread);
        if (own_) return bench_.set_one(target_, policy, thread);
        bench_.set_all(target_, policy, {0, thread});
    }

    // Of the process; and what the thread itself has to do it does.
    void rewrite_by_library(unsigned thread) {
        mpol_policy policy{};
        ASSERT_EQ(mpol_parse(mode_ == Mode::kBind ? "bind:0" : "interleave:0", &policy, nullptr, 0),
                  0);
        ASSERT_EQ(mpol_write_flags(library_, 0, &policy, keep_ ? MPOL_KEEP_CACHED : 0, kWaitMs), 0);
        bench_.call(0);
        bench_.call(thread);
    }

    Workbench bench_{undecayed()};
    control::Target target_ = bench_.attach();
    uint64_t in_arena_ = 0;
    uint64_t in_cache_ = 0;
    Mode mode_ = Mode::kBind;
    bool own_ = false;
    bool keep_ = false;
    mpol_target* library_ = nullptr;  // libmpol writes
};

}  // namespace

TEST_F(CachedMemory, IsGivenBackInTheSecondCallSinceTheRewrite) {
    const unsigned worker = bench_.start_thread(0);
    rewrite(worker);
    EXPECT_TRUE(eventually([&] {
        cache_memory(worker);
        rewrite(worker);
        return resident(in_cache_, kInCache) == kInCache / kPage;
    })) << "the first call does it all";
    bench_.call(worker);
    EXPECT_TRUE(eventually([&] { return resident(in_cache_, kInCache) == 0; }));
}

TEST_F(CachedMemory, IsGivenBackByAThreadThatIsRewrittenBetweenAnyTwoCalls) {
    const unsigned worker = bench_.start_thread(0);
    rewrite(worker);
    cache_memory(worker);
    rewrite(worker);
    rewrite(worker);
    EXPECT_TRUE(eventually([&] { return resident(in_cache_, kInCache) == 0; }));
}

TEST_F(CachedMemory, OfAProcessIsGivenBackOrKept) {
    const unsigned worker = bench_.start_thread(0);
    rewrite(worker);
    for (const unsigned thread : {0U, worker}) {
        expect_given_back(thread);
        expect_kept(thread);
        expect_given_back(thread);
    }
}

TEST_F(CachedMemory, OfAThreadsOwnScopeIsGivenBackOrKept) {
    const unsigned worker = bench_.start_thread(0);
    own_ = true;
    rewrite(worker);
    expect_given_back(worker);
    expect_kept(worker);
    expect_given_back(worker);
}

TEST_F(CachedMemory, IsGivenBackOrKeptAsLibmpolsFlagsSay) {
    const unsigned worker = bench_.start_thread(0);
    ASSERT_EQ(mpol_open(bench_.pid(), MPOL_WRITE, &library_), 0);
    rewrite(worker);
    expect_given_back(worker);
    expect_kept(worker);
    expect_given_back(worker);
    mpol_policy policy{};
    ASSERT_EQ(mpol_parse("bind:0", &policy, nullptr, 0), 0);
    const uint64_t generation = target_.process().asked.generation;
    for (const unsigned flags : {2U, MPOL_KEEP_CACHED | 4U, ~0U}) {
        EXPECT_EQ(mpol_write_flags(library_, 0, &policy, flags, kWaitMs), -EINVAL);
    }
    EXPECT_EQ(target_.process().asked.generation, generation) << "nothing was published";
    mpol_close(library_);
}

}  // namespace mpol::test

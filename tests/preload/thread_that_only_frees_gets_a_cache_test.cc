// SPDX-License-Identifier: Apache-2.0
// A thread that frees what others have allocated, and allocates nothing: jemalloc gives it no
// cache. Here it has one; where the heap is small, one that holds little.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <linux/mempolicy.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>

#include "subject.h"

namespace mpol::test {
namespace {

constexpr size_t kBytes = 64;
constexpr size_t kObjects = 40'000;
constexpr size_t kForAFullCache = size_t{32} << 20;                          // bytes of heap
constexpr const char* kFlushes = "stats.arenas.4096.bins.4.nflushes";        // all arenas, 64 bytes
constexpr const char* kOtherFlushes = "stats.arenas.4096.bins.20.nflushes";  // 1 KiB, never used

std::array<void*, kObjects> objects;
size_t freed = 0;

void free_more(size_t count) {
    for (; count > 0; --count) std::free(objects[freed++]);
}

template <class Value>
Value ask(const char* name) {
    using Mallctl = int(const char*, void*, size_t*, void*, size_t);
    auto* const mallctl = reinterpret_cast<Mallctl*>(::dlsym(RTLD_DEFAULT, "mallctl"));
    uint64_t epoch = 1;
    mallctl("epoch", nullptr, nullptr, &epoch, sizeof(epoch));
    Value value{};
    size_t size = sizeof(value);
    if (mallctl(name, &value, &size, nullptr, 0) != 0) std::abort();
    return value;
}

void have_no_cache() {
    using Mallctl = int(const char*, void*, size_t*, void*, size_t);
    auto* const mallctl = reinterpret_cast<Mallctl*>(::dlsym(RTLD_DEFAULT, "mallctl"));
    bool enabled = false;
    if (mallctl("thread.tcache.enabled", nullptr, nullptr, &enabled, sizeof(enabled)) != 0)
        std::abort();
}

int task_mode() {
    int mode = -1;
    ::syscall(SYS_get_mempolicy, &mode, nullptr, 0UL, nullptr, 0UL);
    return mode;
}

// What the freeing thread is told; 0: the first thread's turn.
struct Turn {
    std::atomic<char> command{0};
    int mode = 0;  // the freeing thread's kernel task policy
};
Turn turn;

constexpr size_t kFew = 100;
constexpr size_t kMany = 8'000;

// jemalloc's own was there first, so that what this frees comes after the thread's cache has ended.
void free_many_at_the_end(void*) {
    free_more(kMany);
}

void* free_as_told(void* key) {
    ::pthread_setspecific(*static_cast<pthread_key_t*>(key), key);
    for (;;) {
        turn.command.wait(0);
        const char command = turn.command.load();
        if (command == 'e') return nullptr;
        if (command == 'f') free_more(kFew);
        if (command == 'm') free_more(kMany);
        if (command == 'a') volatile_malloc(80 * kBytes);  // Not what it has freed.
        if (command == 'd') have_no_cache();
        turn.mode = task_mode();
        turn.command.store(0);
        turn.command.notify_one();
    }
}

void tell_thread(char command) {
    turn.command.store(command);
    turn.command.notify_one();
    turn.command.wait(command);
}

}  // namespace

// 'f', 'm': the thread frees a few or many. Answers with the flushes that these were, and the
// thread's policy. 'a': it allocates. 'd': it has its cache taken away. 'e': it ends, and frees
// many after its cache has ended. 'l': the heap grows. 'o': the flushes of a size that nobody uses.
// 'i': whether there is a second arena.
SUBJECT(freeing_thread) {
    for (void*& object : objects) object = volatile_malloc(kBytes);
    pthread_key_t key;
    pthread_t thread;
    if (::pthread_key_create(&key, free_many_at_the_end) != 0) return 1;
    if (::pthread_create(&thread, nullptr, free_as_told, &key) != 0) return 1;
    say("ready");
    while (const char command = await_command()) {
        switch (command) {
            case 'l':
                volatile_malloc(kForAFullCache);
                say("grown");
                break;
            case 'o':
                say("others %lu", ask<uint64_t>(kOtherFlushes));
                break;
            case 'i':
                say("second %d", ask<bool>("arena.1.initialized"));
                break;
            case 'e':
                turn.command.store(command);
                turn.command.notify_one();
                ::pthread_join(thread, nullptr);
                say("ended %zu", freed);
                break;
            default: {
                const auto before = ask<uint64_t>(kFlushes);
                tell_thread(command);
                say("flushes %lu", ask<uint64_t>(kFlushes) - before);
                say("mode %d", turn.mode);
            }
        }
    }
    return 0;
}

// Where jemalloc's own instructions are not laid behind our checks, its free goes its own way.
class FreeingThread : public ::testing::Test {
  protected:
    void SetUp() override {
#ifndef __x86_64__
        GTEST_SKIP() << "only on x86-64 (lib/preload/fast_path.S)";
#endif
    }
};

// What the thread's doing was of flushes.
uint64_t flushes_of(Subject& subject, char command) {
    subject.tell(command);
    const uint64_t flushes = subject.hear_number("flushes");
    subject.hear("mode");
    return flushes;
}

uint64_t other_flushes(Subject& subject) {
    subject.tell('o');
    return subject.hear_number("others");
}

bool second_arena(Subject& subject) {
    subject.tell('i');
    return subject.hear_number("second") != 0;
}

TEST_F(FreeingThread, HasNoCacheForAFew) {
    Subject subject("freeing_thread");
    subject.hear("ready");
    EXPECT_EQ(flushes_of(subject, 'f'), 0U);
}

TEST_F(FreeingThread, HasACacheForMany) {
    Subject subject("freeing_thread");
    subject.hear("ready");
    subject.ask('l', "grown");
    EXPECT_GT(flushes_of(subject, 'm'), 20U);
    EXPECT_EQ(other_flushes(subject), 0U) << "given back though the heap is large";
}

TEST_F(FreeingThread, GivesBackAllThatItHoldsInASmallHeap) {
    Subject subject("freeing_thread");
    subject.hear("ready");
    EXPECT_GT(flushes_of(subject, 'm'), 20U);
    const uint64_t others = other_flushes(subject);
    EXPECT_GT(others, 7U) << "for " << kMany * kBytes << " bytes";
    subject.ask('l', "grown");
    EXPECT_GT(flushes_of(subject, 'm'), 20U);
    EXPECT_EQ(other_flushes(subject), others);
}

TEST_F(FreeingThread, HasAnArenaOnceItAllocates) {
    Subject subject("freeing_thread");
    subject.hear("ready");
    flushes_of(subject, 'm');
    EXPECT_FALSE(second_arena(subject));
    flushes_of(subject, 'a');
    EXPECT_TRUE(second_arena(subject));
    const uint64_t others = other_flushes(subject);
    flushes_of(subject, 'm');
    EXPECT_EQ(other_flushes(subject), others) << "a cache of jemalloc's own is emptied";
}

TEST_F(FreeingThread, MayTakeItsCacheAway) {
    Subject subject("freeing_thread");
    subject.hear("ready");
    EXPECT_GT(flushes_of(subject, 'm'), 20U);
    flushes_of(subject, 'd');
    EXPECT_EQ(flushes_of(subject, 'm'), 0U);
}

TEST_F(FreeingThread, MayFreeAfterItsCacheHasEnded) {
    Subject subject("freeing_thread");
    subject.hear("ready");
    EXPECT_GT(flushes_of(subject, 'm'), 20U);
    subject.tell('e');
    EXPECT_EQ(subject.hear_number("ended"), 2 * kMany);
}

TEST_F(FreeingThread, NoticesARewrite) {
    for (const bool large : {false, true}) {
        Subject subject("freeing_thread");
        subject.hear("ready");
        if (large) subject.ask('l', "grown");
        subject.tell('m');
        EXPECT_GT(subject.hear_number("flushes"), 20U);
        EXPECT_EQ(subject.hear_number("mode"), MPOL_DEFAULT);
        control::Target target = subject.attach();
        const Policy policy{.mode = Mode::kInterleave, .nodes = NodeMask::of(0)};
        ASSERT_TRUE(target.publish_process(policy, kWaitMs));
        subject.tell('m');
        (void)subject.hear_number("flushes");
        EXPECT_EQ(subject.hear_number("mode"), MPOL_INTERLEAVE);
    }
}

}  // namespace mpol::test

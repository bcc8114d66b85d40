// SPDX-License-Identifier: Apache-2.0
// A thread that frees what others have allocated, and allocates nothing: jemalloc gives it no
// cache. Here it has one where the heap is so large that this is next to nothing of it.
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
constexpr size_t kForOneCache = size_t{32} << 20;                      // bytes of heap
constexpr const char* kFlushes = "stats.arenas.4096.bins.4.nflushes";  // all arenas, 64 bytes

std::array<void*, kObjects> objects;
size_t freed = 0;

void free_more(size_t count) {
    for (; count > 0; --count) std::free(objects[freed++]);
}

// Of the first thread: the question alone gives whoever asks a cache.
uint64_t flushes() {
    using Mallctl = int(const char*, void*, size_t*, void*, size_t);
    auto* const mallctl = reinterpret_cast<Mallctl*>(::dlsym(RTLD_DEFAULT, "mallctl"));
    uint64_t epoch = 1;
    mallctl("epoch", nullptr, nullptr, &epoch, sizeof(epoch));
    uint64_t count = 0;
    size_t size = sizeof(count);
    return mallctl(kFlushes, &count, &size, nullptr, 0) == 0 ? count : ~uint64_t{0};
}

int task_mode() {
    int mode = -1;
    ::syscall(SYS_get_mempolicy, &mode, nullptr, 0UL, nullptr, 0UL);
    return mode;
}

struct Turn {
    std::atomic<int> many{0};  // to free; 0: the first thread's turn
    int mode = 0;              // the freeing thread's kernel task policy
};
Turn turn;

void* free_as_told(void*) {
    for (;;) {
        turn.many.wait(0);
        free_more(static_cast<size_t>(turn.many.load()));
        turn.mode = task_mode();
        turn.many.store(0);
        turn.many.notify_one();
    }
}

}  // namespace

SUBJECT(freeing_thread) {
    for (void*& object : objects) object = volatile_malloc(kBytes);
    pthread_t thread;
    if (::pthread_create(&thread, nullptr, free_as_told, nullptr) != 0) return 1;
    say("ready");
    // 'f': a few, 'm': many. Answers with the flushes that these were, and the thread's policy.
    // 'l': the heap grows.
    while (const char command = await_command()) {
        if (command == 'l') {
            volatile_malloc(kForOneCache);
            say("grown");
            continue;
        }
        const uint64_t before = flushes();
        const int many = command == 'f' ? 100 : 8'000;
        turn.many.store(many);
        turn.many.notify_one();
        turn.many.wait(many);
        say("flushes %lu", flushes() - before);
        say("mode %d", turn.mode);
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

TEST_F(FreeingThread, HasNoCacheForAFew) {
    Subject subject("freeing_thread");
    subject.hear("ready");
    subject.tell('f');
    EXPECT_EQ(subject.hear_number("flushes"), 0U);
}

TEST_F(FreeingThread, HasACacheForMany) {
    Subject subject("freeing_thread");
    subject.hear("ready");
    subject.ask('l', "grown");
    subject.tell('m');
    EXPECT_GT(subject.hear_number("flushes"), 20U);
}

TEST_F(FreeingThread, HasNoCacheInASmallHeap) {
    Subject subject("freeing_thread");
    subject.hear("ready");
    subject.tell('m');
    EXPECT_EQ(subject.hear_number("flushes"), 0U);
    subject.hear("mode");
    subject.ask('l', "grown");
    subject.tell('m');
    EXPECT_GT(subject.hear_number("flushes"), 20U);
}

TEST_F(FreeingThread, NoticesARewrite) {
    for (const bool cached : {false, true}) {
        Subject subject("freeing_thread");
        subject.hear("ready");
        if (cached) subject.ask('l', "grown");
        subject.tell('m');
        EXPECT_EQ(subject.hear_number("flushes") > 20, cached);
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

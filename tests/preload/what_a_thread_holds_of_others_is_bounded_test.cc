// SPDX-License-Identifier: Apache-2.0
// A thread that frees another scope's memory holds some of it, to take it home in batches: never
// more than 256 objects, nor more than 256 KiB, whatever their sizes and their order.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <random>

#include "subject.h"

namespace mpol::test {
namespace {

constexpr unsigned kSeed = 20231;
constexpr uint64_t kHeldObjectsMax = 256;
constexpr long kHeldBytesMax = 256 << 10;
constexpr size_t kObjectsMax = 3'000;

// The last: any size. Those about 32 KiB end what is held at all, and those about 1 KiB reach both
// bounds at once.
constexpr size_t kSizes[] = {1,      8,      16,     1'000,  1'024,  1'025,
                             14'336, 28'673, 32'768, 32'769, 40'000, 0};
constexpr size_t kCounts[] = {1, 7, 8, 9, 255, 256, 257, 1'000, kObjectsMax};

void* objects[kObjectsMax];
size_t count;
pthread_barrier_t barrier;

void* free_handed(void*) {
    say("tid %ld", ::syscall(SYS_gettid));
    pthread_barrier_wait(&barrier);
    call_allocator();
    for (;;) {
        pthread_barrier_wait(&barrier);
        for (size_t i = 0; i < count; ++i) std::free(objects[i]);
        pthread_barrier_wait(&barrier);
    }
}

using Mallctl = int(const char*, void*, size_t*, void*, size_t);

size_t read_stat(Mallctl* mallctl, unsigned arena, const char* kind) {
    char name[64];
    std::snprintf(name, sizeof(name), "stats.arenas.%u.%s.allocated", arena, kind);
    size_t value = 0;
    size_t size = sizeof(value);
    return mallctl(name, &value, &size, nullptr, 0) == 0 ? value : 0;
}

// What jemalloc has handed out of this thread's arena and not got back; this thread's cache is
// emptied first.
long allocated() {
    static auto* const mallctl = reinterpret_cast<Mallctl*>(::dlsym(RTLD_DEFAULT, "mallctl"));
    uint64_t epoch = 1;
    unsigned arena = 0;
    size_t size = sizeof(arena);
    mallctl("thread.tcache.flush", nullptr, nullptr, nullptr, 0);
    mallctl("thread.arena", &arena, &size, nullptr, 0);
    mallctl("epoch", nullptr, nullptr, &epoch, sizeof(epoch));
    return static_cast<long>(read_stat(mallctl, arena, "small") +
                             read_stat(mallctl, arena, "large"));
}

// Returns when the other thread has freed them.
void hand_over(size_t wanted, size_t size) {
    static std::minstd_rand random(kSeed);
    count = wanted;
    for (size_t i = 0; i < count; ++i) {
        objects[i] = volatile_malloc(size != 0 ? size : 1 + random() % 50'000);
    }
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
}

}  // namespace

SUBJECT(hand_over_all_sizes) {
    pthread_barrier_init(&barrier, nullptr, 2);
    pthread_t other;
    if (pthread_create(&other, nullptr, free_handed, nullptr) != 0) return 1;
    await_command();
    pthread_barrier_wait(&barrier);
    hand_over(kHeldObjectsMax, 8);  // The other thread makes its list, and flushes it.
    const long before = allocated();
    unsigned long freed = kHeldObjectsMax;
    for (const size_t size : kSizes) {
        for (const size_t wanted : kCounts) {
            hand_over(wanted, size);
            freed += wanted;
            say("held %ld", allocated() - before);
            say("freed %lu", freed);
            await_command();
        }
    }
    say("held -1");
    await_command();
    ::_exit(0);
}

TEST(ForeignMemory, IsHeldWithinBounds) {
    SCOPED_TRACE("seed " + std::to_string(kSeed));
    Options options;
    options.environment = {"MPOL_HELPER=0"};  // Nobody else takes it home.
    Subject subject("hand_over_all_sizes", options);
    const auto tid = static_cast<pid_t>(subject.hear_number("tid"));
    control::Target target = subject.attach();
    set_thread(target, tid, bind_to({0}));
    subject.tell('g');
    long most_bytes = 0;
    uint64_t most_objects = 0;
    for (long bytes = 0; (bytes = std::stol(subject.hear("held"))) >= 0;) {
        const uint64_t held = subject.hear_number("freed") - target.counter(MPOL_CTL_FOREIGN_FREES);
        EXPECT_LE(held, kHeldObjectsMax);
        EXPECT_LE(bytes, kHeldBytesMax);
        EXPECT_EQ(held == 0, bytes == 0);
        most_bytes = std::max(most_bytes, bytes);
        most_objects = std::max(most_objects, held);
        subject.tell('n');
    }
    EXPECT_EQ(target.counter(MPOL_CTL_SCOPES), 1U);
    EXPECT_GT(most_bytes, 0);
    EXPECT_GT(most_objects, 0U);
    std::printf("held at most: %lu objects, %ld bytes\n", most_objects, most_bytes);
    EXPECT_EQ(subject.finish(), 0);
}

}  // namespace mpol::test

// SPDX-License-Identifier: Apache-2.0
#include "control/faulting.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "child.h"
#include "sys/sys.h"

namespace mpol::bench {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kChunk = size_t{4} << 20;  // faulted over and over
constexpr size_t kBlock = size_t{1} << 30;
constexpr size_t kStackBytes = 64 << 10;
constexpr unsigned kModeOfPage = 2;  // MPOL_F_ADDR
constexpr unsigned kNodeOfPage = 3;  // MPOL_F_NODE | MPOL_F_ADDR
constexpr int kModeWithoutFlags = 0xff;

void use_allocator() {
    void* volatile object = std::malloc(64);
    std::free(object);
}

void* must(void* pointer) {
    if (pointer == nullptr) ::_exit(3);
    return pointer;
}

pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;  // Keeps the threads asleep.

void* sleep_at_gate(void* opaque) {
    use_allocator();
    ::pthread_barrier_wait(static_cast<pthread_barrier_t*>(opaque));
    ::pthread_mutex_lock(&gate);
    ::pthread_mutex_unlock(&gate);
    return nullptr;
}

void start_threads(unsigned count) {
    ::pthread_mutex_lock(&gate);
    pthread_attr_t attributes;
    ::pthread_attr_init(&attributes);
    ::pthread_attr_setstacksize(&attributes, kStackBytes);
    static pthread_barrier_t pair;
    ::pthread_barrier_init(&pair, nullptr, 2);
    for (unsigned i = 0; i < count; ++i) {
        pthread_t thread;
        if (::pthread_create(&thread, &attributes, sleep_at_gate, &pair) != 0) ::_exit(3);
        ::pthread_barrier_wait(&pair);
    }
}

// The mode that decided where the page went; -1: not known.
int mode_of(void* page) {
    int mode = -1;
    NodeMask nodes;
    if (sys::get_mempolicy_at(page, kModeOfPage, mode, nodes) != 0) return -1;
    // A range without a policy: the task's decides.
    if (mode == 0 && sys::get_mempolicy(mode, nodes) != 0) return -1;
    return mode & kModeWithoutFlags;
}

bool is_wanted(void* page, const Wanted& wanted) {
    if (wanted.mode >= 0 && mode_of(page) != wanted.mode) return false;
    int node = -1;
    NodeMask nodes;
    return wanted.node < 0 ||
           (sys::get_mempolicy_at(page, kNodeOfPage, node, nodes) == 0 && node == wanted.node);
}

// Over and over: a program that goes on with its work.
uint64_t fault_until(char* chunk, const Wanted& wanted) {
    for (;;) {
        for (size_t at = 0; at < kChunk; at += kPage) {
            use_allocator();
            static_cast<volatile char*>(chunk)[at] = 1;
            if (is_wanted(chunk + at, wanted)) return sys::monotonic_ns();
        }
        ::madvise(chunk, kChunk, MADV_DONTNEED);
    }
}

}  // namespace

int run_faulting(const Shape& shape) {
    // A page is a page: zeroing 2 MiB at once would be most of what is measured.
    ::prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    for (size_t left = shape.reserved; left != 0; left -= std::min(left, kBlock)) {
        void* volatile block = must(std::malloc(std::min(left, kBlock)));
        (void)block;
    }
    auto* const filled = static_cast<volatile char*>(must(std::malloc(shape.filled + 1)));
    for (size_t at = 0; at < shape.filled; at += kPage) filled[at] = 1;
    start_threads(shape.threads);
    auto* const chunk = static_cast<char*>(must(std::aligned_alloc(kPage, kChunk)));
    say('r');
    Wanted wanted{};
    while (::read(STDIN_FILENO, &wanted, sizeof(wanted)) == sizeof(wanted)) {
        ::madvise(chunk, kChunk, MADV_DONTNEED);
        say('g');
        say(fault_until(chunk, wanted));
    }
    return 0;
}

}  // namespace mpol::bench

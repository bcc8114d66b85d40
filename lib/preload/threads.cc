// SPDX-License-Identifier: Apache-2.0
// Threads: a new one copies its creator's policy, as in the kernel, and takes a slot; one that
// exits gives it back.
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <iterator>
#include <new>

#include "heap/je.h"
#include "heap/kinds.h"
#include "heap/own_kinds.h"
#include "heap/task.h"
#include "preload/foreign.h"
#include "preload/process.h"
#include "preload/real.h"
#include "preload/slow_path.h"
#include "sys/sys.h"

namespace mpol::preload {
namespace {

// jemalloc's purge of all arenas is the deepest call of a thread of ours; thread-local storage lies
// on the stack too, which _SC_THREAD_STACK_MIN counts.
#ifndef MPOL_STACK_KIB
#define MPOL_STACK_KIB 256  // A sanitizer needs more (tests/locks).
#endif
constexpr size_t kStackBytes = size_t{MPOL_STACK_KIB} << 10;

// Stacks that cost no mapping, of which a program may have few left (vm.max_map_count). There is no
// guard, which would be one: what overflows falls on bytes that nobody uses.
constexpr size_t kOverflowBytes = size_t{64} << 10;
struct OwnStack {
    char overflow[kOverflowBytes];
    char bytes[kStackBytes];
};
alignas(4096) constinit OwnStack own_stacks[kOwnThreads]{};
// Somebody is on it, or was: when the kernel has left it can't be told, so it is used once. Written
// by the one who starts that thread.
constinit bool own_stack_used[kOwnThreads]{};

constinit std::atomic<PthreadCreate*> next_pthread_create{nullptr};

// What the processors of a creator and of its thread both write, in one cache line.
struct alignas(64) Shared {
    std::atomic<int> living{0};                // threads, counted from their creation on
    std::atomic<unsigned> own_starts_used{0};  // a bit each; see new_start
};
constinit Shared shared;

// Written when the process has one thread: by fork's child, and by its first allocator call.
constinit heap::Inheritance heirloom;
constinit std::atomic<bool> key_made{false};
pthread_key_t exit_key;

void on_exit(void*) {
    heap::Task& task = heap::this_task;
    const sys::ErrnoGuard guard;
    if (control::copied()) become_child();
    task.in_slow_path = true;  // Nothing that ends a thread begins it again.
    flush_foreign();
    heap::mark_thread(task.slot, 0, 0);
    heap::end_task();
    task.in_slow_path = false;
    if (shared.living.fetch_sub(1, std::memory_order_acq_rel) == 1) stop_helper();
}

void join(const heap::Inheritance& from) {
    heap::begin_task(from);
    heap::mark_thread(heap::this_task.slot, heap::this_task.descriptor,
                      from.own ? from.own->stack.placer : 0);
    if (key_made.load(std::memory_order_acquire)) pthread_setspecific(exit_key, &exit_key);
}

// Of a thread that begins: later the C library's lock may be held by the caller.
void bind_own_stack(const heap::OwnStack& own) {
    pthread_attr_t attributes;
    void* start = nullptr;
    size_t size = 0;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) return;
    const bool known = pthread_attr_getstack(&attributes, &start, &size) == 0;
    pthread_attr_destroy(&attributes);
    // Memory of the program's own may be anywhere, and have a policy already.
    if (known && !heap::in_region(start)) heap::bind_stack(start, size, own);
}

struct Start {
    void* (*routine)(void*);
    void* argument;
    heap::Inheritance from;
};

// For as many threads as begin at the same time; the heap serves the rest. A block of the heap's
// crosses from the creator's cache to that of the thread, which is a third of what this library
// adds to a thread's life.
constexpr unsigned kOwnStarts = 8;
alignas(Start) constinit char own_starts[kOwnStarts][sizeof(Start)]{};

// Uninitialised; nullptr: no memory.
void* new_start() {
    unsigned used = shared.own_starts_used.load(std::memory_order_relaxed);
    while (used != (1U << kOwnStarts) - 1) {
        const int free = __builtin_ctz(~used);
        if (shared.own_starts_used.compare_exchange_weak(
                used, used | 1U << free, std::memory_order_acquire, std::memory_order_relaxed)) {
            return own_starts[free];
        }
    }
    return je_malloc(sizeof(Start));
}

void delete_start(Start* start) {
    const uintptr_t offset =
        reinterpret_cast<uintptr_t>(start) - reinterpret_cast<uintptr_t>(own_starts);
    if (offset >= sizeof(own_starts)) return je_free(start);
    shared.own_starts_used.fetch_and(~(1U << (offset / sizeof(Start))), std::memory_order_release);
}

void* trampoline(void* opaque) {
    auto* const start = static_cast<Start*>(opaque);
    heap::this_task.in_slow_path = true;
    heap::this_task.descriptor = static_cast<uintptr_t>(pthread_self());
    join(start->from);
    if (heap::stacks_concerned()) {
        bind_own_stack(start->from.own ? start->from.own->stack : heap::OwnStack{});
    }
    auto* const routine = start->routine;
    void* const argument = start->argument;
    delete_start(start);
    heap::this_task.in_slow_path = false;
    check();
    return routine(argument);
}

}  // namespace

PthreadCreate* real_pthread_create() {
    return next_pthread_create.load(std::memory_order_acquire);
}

void resolve_threads() {
    void* const symbol = dlsym(RTLD_NEXT, "pthread_create");
    next_pthread_create.store(reinterpret_cast<PthreadCreate*>(symbol), std::memory_order_release);
    // The main thread was met before there could be a key.
    if (pthread_key_create(&exit_key, on_exit) != 0) return;
    key_made.store(true, std::memory_order_release);
    pthread_setspecific(exit_key, &exit_key);
}

int create_own_thread(OwnThread which, void* (*body)(void*)) {
    const auto index = static_cast<unsigned>(which);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    const long least = ::sysconf(_SC_THREAD_STACK_MIN);
    const size_t needed = std::max(kStackBytes, least > 0 ? static_cast<size_t>(least) * 2 : 0);
    const bool on_own_stack = needed == kStackBytes && !own_stack_used[index];
    if (on_own_stack) {
        pthread_attr_setstack(&attributes, own_stacks[index].bytes, kStackBytes);
    } else {
        pthread_attr_setstacksize(&attributes, needed);
    }
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread;
    const int err = real_pthread_create()(&thread, &attributes, body, nullptr);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    pthread_attr_destroy(&attributes);
    if (err == 0 && on_own_stack) own_stack_used[index] = true;
    return err;
}

void adopt_thread() {
    if (shared.living.fetch_add(1, std::memory_order_acq_rel) != 0) return join({});
    flush_inherited();
    const heap::Inheritance from = heirloom;
    heirloom = {};
    join(from);
}

void forget_threads(const heap::Inheritance& of_survivor) {
    shared.living.store(0, std::memory_order_release);
    std::fill(std::begin(own_stack_used), std::end(own_stack_used), false);
    shared.own_starts_used.store(0, std::memory_order_relaxed);
    heirloom = of_survivor;
    heirloom.process_generation = 0;                  // Counted anew in the child's segment.
    if (heirloom.own) heirloom.own->own.cleared = 0;  // So is that.
}

}  // namespace mpol::preload

extern "C" [[gnu::visibility("default")]] int pthread_create(pthread_t* thread,
                                                             const pthread_attr_t* attributes,
                                                             void* (*routine)(void*),
                                                             void* argument) noexcept {
    using namespace mpol;
    if (preload::real_pthread_create() == nullptr) preload::resolve_threads();
    preload::PthreadCreate* const next = preload::real_pthread_create();
    if (next == nullptr) return EAGAIN;
    if (control::copied()) preload::become_child();
    preload::check();
    preload::start_helper();
    const sys::ErrnoGuard guard;
    void* const memory = preload::new_start();
    if (memory == nullptr) return EAGAIN;
    auto* const start = new (memory) preload::Start{routine, argument, heap::inheritance()};
    if (start->from.own) start->from.own->stack = heap::own_stack();
    // Here, or a creator that exits before its thread has started would be taken for the last one.
    preload::shared.living.fetch_add(1, std::memory_order_acq_rel);
    const int err = next(thread, attributes, preload::trampoline, start);
    if (err == 0) return 0;
    preload::shared.living.fetch_sub(1, std::memory_order_acq_rel);
    preload::delete_start(start);
    return err;
}

// SPDX-License-Identifier: Apache-2.0
// The one check that every allocator call makes, and where it leads when something is new.
#pragma once

#include "control/segment.h"
#include "heap/task.h"
#include "preload/own_large.h"

namespace mpol::preload {

// The segment's page is mapped over this library's own, so this is a load, a compare with the
// thread's copy and a branch. Relaxed: the slow path loads the epoch again with acquire.
[[gnu::always_inline]] inline bool up_to_date() {
    const uint32_t epoch = __atomic_load_n(&control::local.header.epoch, __ATOMIC_RELAXED);
    return __builtin_expect(epoch == heap::this_task.epoch, 1);
}

// The same of a thread that is never up to date by that, because its allocations are chosen by
// size.
[[gnu::always_inline]] inline bool routed_and_up_to_date() {
    const uint64_t epoch = __atomic_load_n(&control::local.header.epoch, __ATOMIC_RELAXED);
    return __builtin_expect(epoch == heap::this_task.routed_epoch, 1);
}

// How an allocation of that size is to be made. One load of the epoch for both checks: the thread
// whose allocations are chosen by size pays two compares and branches for a small one, the others
// nothing.
enum class Way : uint8_t { kPlain, kPlainOfRouted, kSlow };
[[gnu::always_inline]] inline Way way_of(size_t size) {
    const uint32_t epoch = __atomic_load_n(&control::local.header.epoch, __ATOMIC_RELAXED);
    if (__builtin_expect(epoch == heap::this_task.epoch, 1)) return Way::kPlain;
    if (uint64_t{epoch} != heap::this_task.routed_epoch) return Way::kSlow;
    return is_own_large(size) ? Way::kSlow : Way::kPlainOfRouted;
}

// The C library frees the blocks of thread stacks while it holds the lock that pthread_create takes,
// so what is called to free must not begin a thread.
enum class Call : uint8_t { kAllocates, kFrees };

// First call of the process: sets everything up. First call of a thread: claims its slot. Else:
// catches up with what was published. errno is preserved. True: what the thread's cache holds from
// before a rewrite is still to be given back.
[[gnu::cold, gnu::noinline]] bool catch_up(Call call);

// After catch_up has said so: gives it back, where nobody is purging; else at another call. errno is
// preserved.
[[gnu::cold, gnu::noinline]] void settle_cache();

// An allocator call that takes the slow path, from before its allocation until after it. What a
// rewrite costs the thread is spread so that no call pays for all: the first one catches up, the
// second gives the cache back, after it has taken from there what its caller waits for.
class SlowPath {
   public:
    explicit SlowPath(Call call = Call::kAllocates) : cache_due_(catch_up(call)) {}
    ~SlowPath() {
        if (cache_due_) settle_cache();
    }
    SlowPath(const SlowPath&) = delete;
    SlowPath& operator=(const SlowPath&) = delete;

   private:
    const bool cache_due_;
};

[[gnu::always_inline]] inline void check(Call call = Call::kAllocates) {
    if (!up_to_date()) const SlowPath slow_path(call);
}

}  // namespace mpol::preload

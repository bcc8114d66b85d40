/* SPDX-License-Identifier: Apache-2.0
 *
 * Holding off, and hearing of, what libmpol-preload does to the calling process's heap: for pinning
 * libraries, profilers, caches of registered memory.
 *
 * The contract of mpol_take_all_locks, after the kernel's mm_take_all_locks:
 *   - From its return to mpol_drop_all_locks no region operation is in progress: no region or
 * extent is made, purged or given back, no policy is applied, nothing migrates, no thread takes a
 * slot, and no new stack or mapping of the program is bound by the policy of its kind.
 *   - One task holds at a time and must not nest; it drops what it took itself, and soon: others
 *     wait inside malloc.
 *   - While it holds it must not allocate, free, fork, or start, join or end a thread.
 *   - A signal handler that runs in the caller while it waits ends the wait: -EINTR, nothing is
 * held. While it waits signals are held back for at most 2 ms, and none is missed.
 *   - A forked child holds nothing.
 *
 * Callbacks run in the thread that operates, often inside the allocator and its locks: they must
 * not allocate, free, fork, call anything of this header or wait for a thread that does one of
 * these. Where the policy of the kind "mmap" is set, what a signal handler maps is told from inside
 * that handler.
 *
 * Every function returns 0 or -errno, leaves errno alone, is thread-safe and not async-signal-safe.
 * -ENOSYS: the process does not run under libmpol-preload.
 */
#ifndef MPOL_NOTIFIER_H
#define MPOL_NOTIFIER_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* -EINTR as above; -EDEADLK: the calling thread holds them already, or is inside a callback. */
__attribute__((visibility("default"))) int mpol_take_all_locks(void);
/* -EPERM: the calling thread does not hold them. */
__attribute__((visibility("default"))) int mpol_drop_all_locks(void);

enum mpol_event {
    MPOL_EVENT_MAP = 1,     /* a range becomes the heap's memory, zeroed */
    MPOL_EVENT_UNMAP = 2,   /* a range's pages go away; its addresses may stay the heap's */
    MPOL_EVENT_POLICY = 3,  /* a range is bound to another policy; pages stay unless they migrate */
    MPOL_EVENT_MIGRATE = 4, /* pages of a range may move to other nodes; contents and addresses stay */
};

/* A member may be null. range_start comes before the first change to the range, and before anyone
 * can use a new one; range_end when the operation is over, done or failed. Ranges are of whole pages.
 * Operations on disjoint ranges run at the same time, in several threads. */
struct mpol_notifier_ops {
    void (*range_start)(void* context, enum mpol_event event, void* start, size_t size);
    void (*range_end)(void* context, enum mpol_event event, void* start, size_t size);
};

/* No region operation is in progress while the notifier is entered, and it hears of each that begins
 * afterwards. ops is copied. With all locks held by the caller it enters under those; otherwise it
 * takes them. A forked child's is registered too. -ENOSPC: 16 are registered; -EINVAL: no ops; -EINTR
 * and -EDEADLK as above. */
__attribute__((visibility("default"))) int mpol_notifier_register(
    const struct mpol_notifier_ops* ops, void* context);
/* By the same functions and context. No callback of it runs any more when this returns. -ENOENT: it
 * is not registered. */
__attribute__((visibility("default"))) int mpol_notifier_unregister(
    const struct mpol_notifier_ops* ops, void* context);

#ifdef __cplusplus
}
#endif

#endif

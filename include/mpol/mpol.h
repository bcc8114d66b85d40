/* SPDX-License-Identifier: Apache-2.0
 *
 * libmpol: the memory policy of other tasks, while they run.
 *
 * The first four calls are those of the 2023 kernel RFC "mm/mempolicy: Make task->mempolicy
 * externally modifiable via syscall and procfs", made in user space. The target runs under
 * libmpol-preload (mpol run); nothing else is asked of it, and no privilege of the caller beyond
 * what ptrace(2) would ask to read the target. docs/security.md says who may change whom.
 *
 * Shapes. A node mask is an array of unsigned long, node n being bit n % 64 of word n / 64; maxnode
 * is one more than the number of bits that count, as the kernel's own calls have it: only bits
 * 0..maxnode-2 are read. Times are in the unit that the name ends with.
 *
 * Unless a function says otherwise: it is thread-safe, not async-signal-safe, returns 0 or -errno,
 * leaves errno alone, and changes nothing when it fails.
 */
#ifndef MPOL_MPOL_H
#define MPOL_MPOL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MPOL_API __attribute__((visibility("default")))

/* --- The four calls on a task.
 *
 * tid is a thread id as the caller's pid namespace knows it. 0 is the calling thread, and the call is
 * then exactly the kernel's own. Arguments are checked as the kernel checks them, in its order, and
 * refused with its errno; then, for another task:
 *
 *   ESRCH      no such task
 *   EPERM      the kernel refuses to open the target's control segment
 *   ENODEV     the target does not run under libmpol-preload
 *   EPROTO     its control segment is damaged or of another ABI
 *   EBUSY      another writer held the segment for longer than mpol_timeout_ms()
 *   ETIMEDOUT  published, but the target has not acted on it within mpol_timeout_ms(); it will at its
 *              next allocation
 */

/* set_mempolicy(2) on a task: the policy of what it allocates from now on, and of its stack and
 * direct mappings from its next allocation on. Node masks are checked against the target's allowed
 * nodes. Source: set_mempolicy(2); mm/mempolicy.c do_set_mempolicy; RFC patch 7. */
MPOL_API int mpol_set_task_mempolicy(pid_t tid, int mode, const unsigned long *nodemask,
                                     unsigned long maxnode);

/* get_mempolicy(2) on a task. With MPOL_F_ADDR the target looks at its own address space. With
 * MPOL_F_NODE alone the answer is the node at which an interleave starts: where the counter of
 * another task stands can't be seen. Without a policy set from outside, the kernel's task policy is
 * reported with its effective nodes. Source: get_mempolicy(2); RFC patch 7. */
MPOL_API int mpol_get_task_mempolicy(pid_t tid, int *ret_mode, unsigned long *ret_nodemask,
                                     unsigned long maxnode, void *addr, unsigned long flags);

/* set_mempolicy_home_node(2) on a range of the target's address space. Source: the man page. */
MPOL_API int mpol_set_task_mempolicy_home_node(pid_t tid, unsigned long start, unsigned long len,
                                               unsigned long home_node, unsigned long flags);

struct mpol_mbind_args {
    pid_t pid; /* a thread id, as above */
    unsigned long start;
    unsigned long len;
    unsigned long mode;
    const unsigned long *nodemask;
    unsigned long maxnode;
    unsigned int flags; /* MPOL_MF_STRICT, MPOL_MF_MOVE, MPOL_MF_MOVE_ALL */
};

/* mbind(2) on any page-aligned range of the target's address space. size is sizeof(*args) as the
 * caller was compiled: smaller than this library's is EINVAL; larger is E2BIG unless the tail is
 * zero. MPOL_MF_MOVE_ALL needs CAP_SYS_NICE of the caller and of the target, which makes the call on
 * itself. Source: mbind(2); RFC patch 7. */
MPOL_API int mpol_task_mbind(const struct mpol_mbind_args *args, size_t size);

/* The same on the process that a pidfd (pidfd_open(2)) refers to, so that a reused pid can't be
 * hit; the task is its main thread. EBADF: not a pidfd; ESRCH: the process has exited. args->pid of
 * mpol_pidfd_mbind is ignored. */
MPOL_API int mpol_pidfd_set_mempolicy(int pidfd, int mode, const unsigned long *nodemask,
                                      unsigned long maxnode);
MPOL_API int mpol_pidfd_get_mempolicy(int pidfd, int *ret_mode, unsigned long *ret_nodemask,
                                      unsigned long maxnode, void *addr, unsigned long flags);
MPOL_API int mpol_pidfd_set_mempolicy_home_node(int pidfd, unsigned long start, unsigned long len,
                                                unsigned long home_node, unsigned long flags);
MPOL_API int mpol_pidfd_mbind(int pidfd, const struct mpol_mbind_args *args, size_t size);

/* How long a call waits for another process, 2000 unless set. Process-wide. */
MPOL_API void mpol_set_timeout_ms(int timeout_ms);
MPOL_API int mpol_timeout_ms(void);

/* --- A target held open: reading its policies makes no system call. */

#define MPOL_NODE_WORDS 16u /* 1,024 nodes */
#define MPOL_NO_NODE (-1)
#define MPOL_WEIGHTED_NODES 40u /* that can have weights of one's own */

/* Weights of one's own go with MPOL_WEIGHTED_INTERLEAVE, without MPOL_F_RELATIVE_NODES; they hold on
 * the heap, and on kernels without that mode too. */
enum mpol_weights {
    MPOL_WEIGHTS_NONE = 0,   /* the kernel's table, and all 1 where it has none */
    MPOL_WEIGHTS_GIVEN = 1,
    MPOL_WEIGHTS_AUTO = 2,   /* worked out from the machine's bandwidths when it was parsed */
    MPOL_WEIGHTS_SYSTEM = 3, /* copied from the kernel's table when it was parsed */
};

struct mpol_policy {
    int32_t mode;      /* MPOL_DEFAULT (0) to MPOL_WEIGHTED_INTERLEAVE (6) */
    uint32_t flags;    /* MPOL_F_STATIC_NODES, MPOL_F_RELATIVE_NODES, MPOL_F_NUMA_BALANCING */
    int32_t home_node; /* MPOL_NO_NODE: none */
    uint32_t weight_source; /* enum mpol_weights */
    uint64_t nodes[MPOL_NODE_WORDS]; /* as the user gave them */
    /* 1 to 255 each, of the lowest of nodes, the next, ...; not looked at with MPOL_WEIGHTS_NONE */
    uint8_t weights[MPOL_WEIGHTED_NODES];
};

enum mpol_origin {
    MPOL_ORIGIN_NONE = 0,
    MPOL_ORIGIN_PROGRAM = 1,
    MPOL_ORIGIN_LAUNCHER = 2,
    MPOL_ORIGIN_OUTSIDE = 3,
    MPOL_ORIGIN_INHERITED = 4,
    MPOL_ORIGIN_DAEMON = 5,
};

struct mpol_state {
    int32_t set;         /* 1: a policy was set from outside (of a thread: its own), and is below */
    int32_t in_force;    /* 1: on all of the scope's heap memory */
    uint64_t generation; /* counts publications */
    uint32_t origin;     /* enum mpol_origin */
    uint32_t origin_uid;
    uint32_t origin_pid;
    int32_t error;       /* errno of the last application, 0: none */
    uint64_t set_at_ns;  /* CLOCK_REALTIME */
    struct mpol_policy policy;
};

typedef struct mpol_target mpol_target;

#define MPOL_READ 0u
#define MPOL_WRITE 1u

/* Opens the control segment of a process. Errors: ESRCH, EPERM, ENODEV, EPROTO as above; EINVAL:
 * access is neither. The caller closes it. */
MPOL_API int mpol_open(pid_t pid, unsigned access, mpol_target **ret_target);
MPOL_API void mpol_close(mpol_target *target); /* a null pointer is fine */

/* The process's policy (tid 0) or a thread's own. No system call for tid 0; a thread's id is looked
 * up in /proc. ESRCH: no such thread; ENODEV: it has no slot and follows the process; EAGAIN: the
 * policy changed under every try. */
MPOL_API int mpol_read(const mpol_target *target, pid_t tid, struct mpol_state *ret_state);

/* Sets the process's policy (tid 0), which threads without their own follow, or a thread's own; a
 * null policy unsets it. Waits up to timeout_ms until it is in force; 0: does not wait. EBADF: target
 * was opened with MPOL_READ; EINVAL: not a policy, or no node of it is allowed to the target; ESRCH,
 * ENODEV as mpol_read; EBUSY, EPROTO, ETIMEDOUT as above; else the errno with which the target's
 * kernel refused it.
 *
 * Threads that write through one target take turns at publishing, not at waiting; one that does not
 * get its turn within mpol_timeout_ms() has EBUSY. A forked child shares the lock of its parent's
 * targets, and must not write through one while its parent does: it opens its own. */
MPOL_API int mpol_write(mpol_target *target, pid_t tid, const struct mpol_policy *policy,
                        int timeout_ms);

#define MPOL_KEEP_CACHED 1u /* free memory that the target has cached keeps the pages it has */

/* mpol_write with flags: 0 or MPOL_KEEP_CACHED. Without it cached free memory is given back, and
 * faulted anew under the new policy. EINVAL: another flag. */
MPOL_API int mpol_write_flags(mpol_target *target, pid_t tid, const struct mpol_policy *policy,
                              unsigned flags, int timeout_ms);

/* Memory of a process that may follow a policy of its own, whoever allocates it. */
enum mpol_kind {
    MPOL_KIND_LARGE = 0, /* allocations of at least a threshold, of threads without a policy */
    MPOL_KIND_STACK = 1, /* stacks of all threads but the main one */
    MPOL_KIND_MMAP = 2,  /* private anonymous mappings of the program's own */
};

/* The policy of a kind, as mpol_read; ret_threshold (may be null) receives bytes, 0 where there is
 * none. A kind that nobody ever set is not set. EINVAL: no such kind; EAGAIN as mpol_read. */
MPOL_API int mpol_read_kind(const mpol_target *target, unsigned kind, uint64_t *ret_threshold,
                            struct mpol_state *ret_state);

/* Sets the policy of a kind, or takes it back with a null policy: large allocations then follow the
 * process, stacks and mappings their threads' task policy. threshold: bytes, at least 65536, of
 * MPOL_KIND_LARGE; 0 for the others and without a policy. Waits as mpol_write. EINVAL: no such kind
 * or threshold, or as mpol_write; ERANGE: the target's thread caches serve the threshold. */
MPOL_API int mpol_write_kind(mpol_target *target, unsigned kind, uint64_t threshold,
                             const struct mpol_policy *policy, int timeout_ms);

/* The same of a thread's own memory of a kind: MPOL_KIND_LARGE, its allocations of at least the
 * threshold, while it has a policy of its own; MPOL_KIND_STACK, the stacks of threads that it creates
 * from then on; MPOL_KIND_MMAP, what it maps itself from then on. Threads and forked children that it
 * creates have copies. The last two are in force for what comes when the call returns; what is waited
 * for is that memory which the thread has placed under an earlier one follows too, as nothing else
 * of the process's makes it. A null policy makes what comes, and that memory, the process's again.
 *
 * Also: ESRCH, tid is no thread of the process, or has exited; ENODATA, MPOL_KIND_LARGE of a thread
 * without a policy of its own; ENOMEM, no memory for its row. */
MPOL_API int mpol_read_thread_kind(const mpol_target *target, pid_t tid, unsigned kind,
                                   uint64_t *ret_threshold, struct mpol_state *ret_state);
MPOL_API int mpol_write_thread_kind(mpol_target *target, pid_t tid, unsigned kind,
                                    uint64_t threshold, const struct mpol_policy *policy,
                                    int timeout_ms);

/* --- Migration: the process moves the pages of its heap to where its policies want them, batch by
 * batch, while it runs. It needs no privilege for that. One migration at a time; what it has moved
 * stays moved, whenever it ends, and the next one skips what is in place. */

enum mpol_migration_phase {
    MPOL_MIGRATION_IDLE = 0, /* there was none */
    MPOL_MIGRATION_ASKED = 1,
    MPOL_MIGRATION_RUNNING = 2,
    MPOL_MIGRATION_PAUSED = 3, /* its lease has run out */
    MPOL_MIGRATION_DONE = 4,   /* this and the next two: it has ended */
    MPOL_MIGRATION_CANCELLED = 5,
    MPOL_MIGRATION_REFUSED = 6, /* the target may not call move_pages(2): error says why */
};

struct mpol_migration {
    uint64_t generation; /* of the latest one that was asked for */
    uint32_t phase;      /* enum mpol_migration_phase */
    int32_t error;       /* errno of REFUSED, or the last of other_bytes */
    uint64_t total_bytes;     /* of heap memory that a policy names nodes for */
    uint64_t remaining_bytes; /* of those, not looked at yet */
    uint64_t moved_bytes;
    uint64_t in_place_bytes;  /* found where they belong */
    uint64_t unbound_bytes;   /* of heap memory that no policy names nodes for */
    uint64_t busy_bytes;      /* these stayed: EBUSY, pinned or under I/O, tried twice */
    uint64_t no_memory_bytes; /* ENOMEM, no room where they belong */
    uint64_t shared_bytes;    /* EACCES, other processes map them too, as after fork */
    uint64_t other_bytes;
    uint64_t elapsed_ns;
    uint64_t batches;
    uint64_t longest_batch_ns; /* no fault of the target has waited longer for a page that moved */
    uint64_t reserved[8];
};

/* Asks for all heap memory (tid 0), or for what a thread has allocated under a policy of its own;
 * bytes_per_second 0: as fast as it goes. With lease_ms it pauses when nobody renews it for that
 * long, at most a minute, so that it doesn't outlive whoever asked; 0: it goes on to the end. Returns
 * at once: the target's helper thread does it. target was opened with MPOL_WRITE, here and below.
 * One that was asked for and has not begun gives way to it. ESRCH, ENODEV as mpol_read; EBUSY: one is
 * under way, or another writer held the segment for longer than mpol_timeout_ms(); EBADF as
 * mpol_write. */
MPOL_API int mpol_start_migration(mpol_target *target, pid_t tid, uint64_t bytes_per_second,
                                  uint32_t lease_ms, uint64_t *ret_generation);

/* How far the latest one has come. No system call. Any access. */
MPOL_API int mpol_read_migration(const mpol_target *target, struct mpol_migration *ret_migration);

/* Renews the lease, and wakes a paused one. EBADF as above. */
MPOL_API int mpol_renew_migration(mpol_target *target);

/* Renews the lease until the migration has ended. ETIMEDOUT: not within timeout_ms; ESTALE: another
 * one has taken its place; ESRCH: the process has exited; EBADF as above. */
MPOL_API int mpol_wait_migration(mpol_target *target, uint64_t generation, int timeout_ms);

/* It ends after the batch under way; mpol_wait_migration tells when. One that has not begun is taken
 * back. Has no effect on another generation. EBADF as above. */
MPOL_API int mpol_cancel_migration(mpol_target *target, uint64_t generation);

/* --- Text. */

/* Parses a policy as mpol(1) takes it: the kernel's format, and the spellings of numactl, systemd
 * and OCI. ret_error (may be null) receives one line that says which characters are wrong and what
 * is accepted. EINVAL: not a policy; ENOTSUP: this machine lacks the weights that it asks for. */
MPOL_API int mpol_parse(const char *text, struct mpol_policy *ret_policy, char *ret_error,
                        size_t error_size);

/* The kernel's text of a policy with its user nodes, its home node and its weights. Returns the
 * length that the whole text has; what fits in size is stored, and terminated. EINVAL: not a
 * policy. */
MPOL_API int mpol_format(const struct mpol_policy *policy, char *ret_text, size_t size);

/* "0.1.0". Static storage. Async-signal-safe. */
MPOL_API const char *mpol_version(void);

#ifdef __cplusplus
}
#endif

#endif

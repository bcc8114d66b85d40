/* SPDX-License-Identifier: Apache-2.0
 *
 * The control segment: the ABI between a process under libmpol-preload and those who read or
 * rewrite its memory policy from outside. One sealed memfd per process, named "mpol-control",
 * opened as /proc/PID/fd/N; the kernel's check on that open is the permission check.
 *
 *   offset      what                          resident
 *   0           struct mpol_ctl_header        4 KiB, always
 *   4 KiB       MPOL_CTL_ERRORS error rows    4 KiB, always
 *   8 KiB       MPOL_CTL_SLOTS thread slots   256 B for each thread that ever ran at once
 *   8 KiB+1 MiB MPOL_CTL_REGIONS region rows  64 B for each region
 *   + 256 KiB   MPOL_CTL_KIND_ROWS kind rows  4 KiB, once a policy of a kind was published
 *   + 4 KiB     MPOL_CTL_EVENTS event rows    64 KiB, once somebody has watched
 *   + 64 KiB    own kind rows, MPOL_CTL_SLOTS for each kind  4 KiB for 16 threads and a kind, once one
 *                                             of them was given a policy of that kind
 *   + 3 MiB     MPOL_CTL_SAVED_ROWS saved rows  4 KiB, once a daemon has set a policy; 256 B for each
 *                                             thread that it gave one of its own
 *   + 1 MiB and a page  MPOL_CTL_REGIONS weight rows  4 KiB for 64 regions, once one of them was bound
 *                                             by weights of its scope's own
 *
 * Nothing in it is a pointer that anyone follows: addresses are facts to display. A reader copies
 * each field once with an atomic load, validates the copy and uses only the copy. Every u64 and
 * u32 is written and read as one atomic word (release stores, acquire loads).
 *
 * A policy is MPOL_CTL_POLICY_WORDS u64, published through a latch (latch.h): readers see the old
 * or the new one, whole, whatever becomes of the writer. Writers hold an exclusive
 * open-file-description lock (fcntl F_OFD_SETLK) on the whole memfd.
 *
 * Usable from C11 and C++. Little-endian 64-bit machines only.
 */
#ifndef MPOL_CONTROL_H
#define MPOL_CONTROL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#define MPOL_CTL_ASSERT(cond) static_assert(cond, #cond)
#else
#define MPOL_CTL_ASSERT(cond) _Static_assert(cond, #cond)
#endif

#define MPOL_CTL_NAME "mpol-control"
#define MPOL_CTL_MAGIC UINT64_C(0x314c54434c4f504d) /* "MPOLCTL1" */
#define MPOL_CTL_ABI 5u

#define MPOL_CTL_SLOTS 4096u
#define MPOL_CTL_REGIONS 4096u
#define MPOL_CTL_ERRORS 32u
#define MPOL_CTL_EVENTS 1024u
#define MPOL_CTL_KINDS 3u     /* enum mpol_ctl_kind_id */
#define MPOL_CTL_KIND_ROWS 16u /* room in the page */
#define MPOL_CTL_SAVED_ROWS 4112u /* 0: of the process; 1 + slot; whole pages */
#define MPOL_CTL_NODE_WORDS 16u

/* Layout of a policy's payload words. */
#define MPOL_CTL_POLICY_WORDS 24u
#define MPOL_CTL_WEIGHTED_NODES 40u /* nodes that can have weights of one's own */
/*   [0]  mode: bits 0-7; who set it (enum mpol_ctl_origin): bits 8-15; mode flags as in the system
 *        calls: bits 16-31; home node as int16, -1 none: bits 32-47; where the weights come from
 *        (enum mpol_ctl_weights): bits 48-55; how to apply it, MPOL_CTL_APPLY_*: bits 56-63
 *   [1]  who set it: uid: bits 0-31; pid: bits 32-63, both as the setter saw itself
 *   [2]  when: CLOCK_REALTIME, ns
 *   [3..18] nodemask as the user gave it, node n is bit n % 64 of word 3 + n / 64
 *   [19..23] weights, a byte each, lowest first: of the lowest node in the mask, the next, ... */

enum mpol_ctl_weights {
    MPOL_CTL_WEIGHTS_NONE = 0,   /* the mode's own: the kernel's table */
    MPOL_CTL_WEIGHTS_GIVEN = 1,
    MPOL_CTL_WEIGHTS_AUTO = 2,   /* worked out from the machine's bandwidths when it was set */
    MPOL_CTL_WEIGHTS_SYSTEM = 3, /* copied from the kernel's table when it was set */
};

#define MPOL_CTL_APPLY_KEEP_CACHED 1u /* free memory that is cached keeps the pages it has */

enum mpol_ctl_origin {
    MPOL_CTL_ORIGIN_NONE = 0,
    MPOL_CTL_ORIGIN_PROGRAM = 1,   /* the process itself, by a call */
    MPOL_CTL_ORIGIN_LAUNCHER = 2,  /* mpol run, or whoever executed the process */
    MPOL_CTL_ORIGIN_OUTSIDE = 3,   /* another process: uid and pid tell which */
    MPOL_CTL_ORIGIN_INHERITED = 4, /* from the creating thread or the forking process */
    MPOL_CTL_ORIGIN_DAEMON = 5,    /* mpold, by a rule; what was before is in a saved row */
};

/* A latch word. The generation counts publications and never goes back. */
#define MPOL_CTL_WORD_SPARE UINT64_C(1)      /* the payload to read is the header's spare copy */
#define MPOL_CTL_WORD_HAS_POLICY UINT64_C(2) /* a policy was set and is in the payload */
#define MPOL_CTL_WORD_STATE UINT64_C(0xc)    /* of a slot: one of the next three */
#define MPOL_CTL_WORD_FREE UINT64_C(0x0)
#define MPOL_CTL_WORD_CLAIMING UINT64_C(0x4) /* its thread is filling it in */
#define MPOL_CTL_WORD_LIVE UINT64_C(0x8)
#define MPOL_CTL_WORD_GENERATION_SHIFT 8

/* What the process found out about itself, mpol_ctl_header.status. */
#define MPOL_CTL_STATUS_HELPER UINT32_C(1)     /* the helper thread runs */
#define MPOL_CTL_STATUS_NO_NUMA UINT32_C(2)    /* mbind is refused: policies can't be applied */
#define MPOL_CTL_STATUS_MULTI UINT32_C(4)      /* some thread has, or had, a policy of its own */
#define MPOL_CTL_STATUS_INHERITED UINT32_C(8)  /* a kernel task policy was there at the start */

/* Counters, mpol_ctl_header.counters[]. */
enum mpol_ctl_counter {
    MPOL_CTL_APPLIED = 0,         /* rewrites applied, of any scope */
    MPOL_CTL_MBINDS = 1,          /* mbind calls made */
    MPOL_CTL_MBIND_FAILURES = 2,
    MPOL_CTL_APPLY_NS_LAST = 3,   /* time from noticing a rewrite to all regions bound */
    MPOL_CTL_LATCH_GAVE_UP = 4,   /* reads that kept the last good copy */
    MPOL_CTL_SLOTLESS_THREADS = 5,/* threads that found no free slot, now living */
    MPOL_CTL_RESERVED_BYTES = 6,
    MPOL_CTL_CARVED_BYTES = 7,    /* handed to jemalloc */
    MPOL_CTL_UNMANAGED_BYTES = 8, /* mapped outside the regions because no region could be had */
    MPOL_CTL_SCOPES = 9,          /* thread scopes ever made (they are recycled) */
    MPOL_CTL_FOREIGN_FREES = 10,  /* frees handed back to their owner scope */
    MPOL_CTL_REBINDS = 11,        /* changes of the allowed nodes acted on */
    MPOL_CTL_COUNTERS = 32,
};

/* A system call that the target is asked to make on itself, because no one else can: the policy of
 * a range belongs to the address space. A writer takes a row under the writers' lock, fills it in,
 * stores word = next generation | ASKED, rings the doorbell and sleeps on ack; the target stores the
 * result and word | DONE. Arguments are those of the system call. */
#define MPOL_CTL_REQUESTS 8u
#define MPOL_CTL_REQUEST_STATE UINT64_C(0xff)
#define MPOL_CTL_REQUEST_IDLE UINT64_C(0)
#define MPOL_CTL_REQUEST_ASKED UINT64_C(1)
#define MPOL_CTL_REQUEST_DONE UINT64_C(2)

enum mpol_ctl_request_op {
    MPOL_CTL_REQUEST_MBIND = 1,         /* start, size, mode, nodes, max_node, flags */
    MPOL_CTL_REQUEST_HOME_NODE = 2,     /* start, size, mode: the node, flags */
    MPOL_CTL_REQUEST_GET_MEMPOLICY = 3, /* start: address, flags; answers mode, nodes */
};

struct mpol_ctl_request {
    uint64_t word;     /*  0 writers, then target: generation << 8 | state */
    uint64_t asked_ns; /*  8 writers: CLOCK_MONOTONIC; an old answer nobody fetched is overwritten */
    uint32_t op;       /* 16 writers */
    int32_t result;    /* 20 target: 0 or -errno */
    uint64_t start;    /* 24 writers */
    uint64_t size;     /* 32 writers */
    uint64_t mode;     /* 40 writers; target for GET_MEMPOLICY */
    uint64_t max_node; /* 48 writers */
    uint64_t flags;    /* 56 writers */
    uint64_t nodes[MPOL_CTL_NODE_WORDS]; /* 64 writers; target for GET_MEMPOLICY */
    uint64_t reserved[8]; /* 192 */
};

/* A migration: the target moves its own pages to where their policies want them. One at a time. A
 * writer takes the row under the writers' lock, fills it in, stores word = next generation | ASKED
 * and rings the doorbell; the target's helper thread answers with RUNNING, moves one batch after the
 * other and stores what it did after each, and ends with DONE, CANCELLED or REFUSED. EXPIRED is a
 * pause: the writer has not changed beat for lease_ms; when it does, and rings, RUNNING comes back. */
#define MPOL_CTL_MIGRATION_STATE UINT64_C(0xff)
#define MPOL_CTL_MIGRATION_IDLE UINT64_C(0)
#define MPOL_CTL_MIGRATION_ASKED UINT64_C(1)
#define MPOL_CTL_MIGRATION_RUNNING UINT64_C(2)
#define MPOL_CTL_MIGRATION_EXPIRED UINT64_C(3)
#define MPOL_CTL_MIGRATION_DONE UINT64_C(4)      /* every page was looked at */
#define MPOL_CTL_MIGRATION_CANCELLED UINT64_C(5)
#define MPOL_CTL_MIGRATION_REFUSED UINT64_C(6)   /* move_pages is: error says why */

/* Why a page stayed where it does not belong, mpol_ctl_migration.failed[]. */
enum mpol_ctl_migration_failure {
    MPOL_CTL_MIGRATION_BUSY = 0,      /* EBUSY: pinned, or under I/O; tried twice */
    MPOL_CTL_MIGRATION_NO_MEMORY = 1, /* ENOMEM: no room on any node it may go to */
    MPOL_CTL_MIGRATION_SHARED = 2,    /* EACCES: mapped by other processes too, as after fork */
    MPOL_CTL_MIGRATION_OTHER = 3,     /* error has the last errno */
    MPOL_CTL_MIGRATION_FAILURES = 8,
};

struct mpol_ctl_migration {
    uint64_t word;   /*   0 writers, then target: generation << 8 | state */
    uint64_t cancel; /*   8 writers: the generation that shall stop */
    uint64_t beat;   /*  16 writers: changed while somebody waits for it */
    uint64_t bytes_per_second; /* 24 writers: 0 as fast as it goes */
    uint32_t who;      /* 32 writers: 0 all heap memory, 1 + slot that of the thread's scope */
    uint32_t lease_ms; /* 36 writers: 0 goes on with nobody waiting */
    /* Target, after each batch; bytes of heap memory since it was RUNNING. */
    uint64_t elapsed_ns;    /*  40 */
    uint64_t total_bytes;   /*  48 governed by a policy that names nodes; grows with the heap */
    uint64_t seen_bytes;    /*  56 of them looked at; from 0 again when a policy is rewritten */
    uint64_t moved_bytes;   /*  64 */
    uint64_t placed_bytes;  /*  72 found where they belong */
    uint64_t unbound_bytes; /*  80 that no policy names nodes for; not looked at */
    uint64_t failed[MPOL_CTL_MIGRATION_FAILURES]; /* 88 bytes, by enum mpol_ctl_migration_failure */
    uint64_t batches;          /* 152 calls of move_pages that moved */
    uint64_t longest_batch_ns; /* 160 */
    uint32_t batch_pages;      /* 168 pages in a batch, now */
    int32_t error;             /* 172 errno of REFUSED, or the last of OTHER */
    uint64_t rewrites;         /* 176 met on the way */
    uint64_t reserved[9];      /* 184 */
};

struct mpol_ctl_header {
    uint64_t magic;         /*   0 target; before anyone can open it */
    uint32_t abi;           /*   8 */
    uint32_t header_size;   /*  12 */
    uint64_t total_size;    /*  16 */
    uint32_t slot_count;    /*  24 */
    uint32_t slot_size;     /*  28 */
    uint32_t region_count;  /*  32 */
    uint32_t region_size;   /*  36 */
    uint32_t error_count;   /*  40 */
    uint32_t error_size;    /*  44 */
    uint32_t pid;           /*  48 target: its pid in its own pid namespace */
    uint32_t status;        /*  52 target: MPOL_CTL_STATUS_* */
    uint64_t start_time;    /*  56 target: field 22 of its /proc/PID/stat, clock ticks */
    uint32_t slots_used;    /*  64 target: one more than the highest slot ever claimed */
    uint32_t regions_used;  /*  68 target: rows of the region directory in use */
    uint32_t ack;           /*  72 target: futex, bumped after every application */
    uint32_t cleared;       /*  76 writers: bumped before all threads' own policies are taken away: a
                                   thread that starts meanwhile does not begin with its creator's */
    uint32_t kinds;         /*  80 writers: bit of each kind ever published; 0: nobody touches the
                                   kind rows, which then are no memory */
    uint32_t saved;         /*  84 writers: MPOL_CTL_SAVED_*; 0: nobody touches the saved rows, which
                                   then are no memory */
    uint64_t reserved1[5];  /*  88 */
    uint32_t epoch;         /* 128 writers: futex and doorbell, bumped after every publication;
                                   read by every malloc, so alone in its cache line */
    uint32_t reserved2[31]; /* 132 */
    uint64_t process_word;  /* 256 writers: latch of the process's policy */
    uint64_t process_policy[MPOL_CTL_POLICY_WORDS]; /* 264 writers */
    uint64_t process_applied; /* 456 target: the generation in force on every region */
    uint64_t process_errno;   /* 464 target: errno of the last application, 0 when it succeeded */
    uint64_t spare_owner;     /* 472 writers: latch whose word may say SPARE: 0 process, 1+slot,
                                     1+MPOL_CTL_SLOTS+kind, or with MPOL_CTL_KIND_ROWS for kind
                                     and kind*MPOL_CTL_SLOTS+slot added, that thread's own kind */
    uint64_t spare[MPOL_CTL_POLICY_WORDS]; /* 480 writers: second copy, shared by all latches */
    uint64_t effective_word;  /* 672 target: latch of the next field, of its own */
    uint64_t effective[2][MPOL_CTL_NODE_WORDS]; /* 680 target: nodes the process's policy means */
    uint64_t allowed_word;    /* 936 target: latch of the next field */
    uint64_t allowed[2][MPOL_CTL_NODE_WORDS];   /* 944 target: its cpuset's memory nodes */
    uint64_t inherited[MPOL_CTL_POLICY_WORDS];  /* 1200 target: kernel task policy at the start */
    uint64_t counters[MPOL_CTL_COUNTERS];       /* 1392 target */
    uint64_t reserved3[2];                      /* 1648 */
    struct mpol_ctl_request requests[MPOL_CTL_REQUESTS]; /* 1664 */
    struct mpol_ctl_migration migration;        /* 3712 */
    uint8_t reserved4[4032 - 3968];             /* 3968 */
    uint64_t watch_until_ns; /* 4032 writers: CLOCK_REALTIME until when they want to be woken for
                                     events; 0: nobody has ever watched, and none is recorded */
    uint64_t event_head;     /* 4040 target: events begun, the next one's sequence number */
    uint32_t event_bell;     /* 4048 target: futex, bumped after every event */
    uint32_t reserved6[11];  /* 4052 */
};

/* One thread. Claimed by the thread when it starts, released when it exits. */
struct mpol_ctl_slot {
    uint64_t word;      /*  0 thread (state), writers (policy): latch of the thread's own policy */
    uint32_t tid;       /*  8 thread: in its own pid namespace; valid while LIVE */
    uint32_t scope;     /* 12 thread: the scope it allocates from, 0 the process's */
    uint64_t applied;   /* 16 target: generation of word in force on the thread's heap memory */
    uint64_t process_seen; /* 24 thread: generation of the process's policy that its kernel task
                                 policy reflects, while it follows the process */
    uint32_t applied_errno; /* 32 target: of the last application */
    uint32_t kinds;         /* 36 writers, or the thread while CLAIMING: bit of each kind whose own row
                                  of the thread is memory; before, nobody touches it */
    uint64_t task_applied;  /* 40 thread: generation of word that its kernel task policy reflects */
    uint64_t reserved1[2];  /* 48 */
    uint64_t policy[MPOL_CTL_POLICY_WORDS]; /* 64 writers, or the thread while CLAIMING */
};

/* One region: a range of the target's address space whose pages follow one scope's policy. */
struct mpol_ctl_region {
    uint64_t start;   /*  0 target, last: address; 0: row not filled in yet */
    uint64_t size;    /*  8 target: bytes reserved */
    uint64_t carved;  /* 16 target: bytes handed to jemalloc, from the start on */
    uint32_t scope;   /* 24 target: 0 the process */
    uint32_t applied_errno; /* 28 target: of the last mbind */
    uint64_t stretches;     /* 32 target: how it is cut where nodes have weights of one's own: the
                                   most stretches: bits 0-31; log2 of the smallest piece, 21 with
                                   huge pages, 12 without: bits 32-39; GiB of the scope's heap before
                                   it: bits 40-63; lib/policy/stretches.h */
    uint64_t committed;   /* 40 target: bytes that can be read and written, from the start on */
    uint64_t bound;       /* 48 target: mode and home node of the last mbind, lib/control/bound.h */
    uint64_t bound_nodes; /* 56 target: and its nodes */
};

/* The weights that a region is bound by: memory once its bound says that it has some, and read between
 * two looks at bound that agree. */
struct mpol_ctl_region_weights {
    uint64_t weights[5];  /* 0 target: a byte each, as in a policy's words, but of bound_nodes */
    uint64_t reserved[3]; /* 40 */
};

/* An event: the beginning or the end of an operation on a range of the heap (mpol/notifier.h). A ring:
 * event number n is in row n % MPOL_CTL_EVENTS until event n + MPOL_CTL_EVENTS. */
struct mpol_ctl_event {
    uint64_t word;    /*  0 target, last: (n + 1) << 1 | being written; a row's word only grows */
    uint64_t time_ns; /*  8 target: CLOCK_REALTIME */
    uint64_t start;   /* 16 target: address */
    uint64_t size;    /* 24 target: bytes */
    uint32_t event;   /* 32 target: enum mpol_event */
    uint32_t end;     /* 36 target: 0 the operation begins, 1 it is over */
    uint32_t tid;     /* 40 target: who operates, in its own pid namespace */
    uint32_t reserved[5]; /* 44 */
};

/* Memory of the process that may follow a policy of its own, whoever allocates it. A thread may have
 * the same for itself, in rows like these (mpol_ctl.own_kinds): LARGE, which counts while the thread has
 * its own policy; STACK, of the stacks of threads that it creates from then on; MMAP, of what it maps
 * from then on. The last two are read by the thread at each use; applied is of what it has placed. */
enum mpol_ctl_kind_id {
    MPOL_CTL_KIND_LARGE = 0, /* allocations of at least a threshold, of threads without a policy */
    MPOL_CTL_KIND_STACK = 1, /* stacks of the threads but the main one */
    MPOL_CTL_KIND_MMAP = 2,  /* the program's own private anonymous mappings */
};
#define MPOL_CTL_THRESHOLD_MIN (UINT64_C(64) << 10) /* bytes; below, thread caches come first */

struct mpol_ctl_kind {
    uint64_t word;    /*  0 writers: latch of the kind's policy */
    uint64_t applied; /*  8 target: generation of word in force */
    uint32_t applied_errno; /* 16 target: of the last application */
    uint32_t scope;         /* 20 target: of LARGE: whose regions hold its memory; 0: none yet */
    uint64_t threshold[2];  /* 24 writers: bytes, of LARGE; that of generation g is [g % 2], stored
                                  before g is published */
    uint32_t placed;        /* 40 target: of a thread's own STACK or MMAP: 1 once the thread has placed
                                  something under it, which a rewrite then binds before it is applied */
    uint32_t reserved0;     /* 44 */
    uint64_t reserved1[2];  /* 48 */
    uint64_t policy[MPOL_CTL_POLICY_WORDS]; /* 64 writers */
};

/* What a scope (the process, or the thread in a slot) had before a daemon first set its policy, so that
 * it can be given back by anyone who may write, whatever became of the daemon. Written under the
 * writers' lock, before the policy itself:
 *
 *     fill in policy, ours = g + 1, then word     the scope's generation is g: nothing has happened
 *     publish                                     g + 1, and its origin is the daemon: it is ours
 *
 * A scope is the daemon's while its policy's origin is DAEMON and its generation is ours (or one less:
 * the daemon died between the two). Any other generation or origin: somebody else has set it since. */
#define MPOL_CTL_SAVED_USED 1u   /* header.saved: a row was ever written */
#define MPOL_CTL_SAVED_UNDONE 2u /* all is to be given back, also by a thread or a forked child that
                                    begins with it, and daemons leave the process alone */
#define MPOL_CTL_SAVED_STATE UINT64_C(0xff)
#define MPOL_CTL_SAVED_NONE UINT64_C(0)   /* the daemon has not touched it, or has given it back */
#define MPOL_CTL_SAVED_HELD UINT64_C(1)   /* policy is what it had */
#define MPOL_CTL_SAVED_HAD_POLICY UINT64_C(0x100) /* else there was none: the words tell who unset it */

struct mpol_ctl_saved {
    uint64_t word; /*  0 writers, last: state, HAD_POLICY. The target copies rows for a forked child and
                         a thread that inherits */
    uint64_t ours; /*  8 writers: the generation that the daemon published last; 0: none any more */
    uint32_t tid;  /* 16 writers: of a slot: the thread it was, in its own pid namespace */
    uint32_t reserved0;    /* 20 */
    uint64_t reserved1[5]; /* 24 */
    uint64_t policy[MPOL_CTL_POLICY_WORDS]; /* 64 writers */
};

/* A distinct error, recorded once with a count. */
struct mpol_ctl_error {
    uint32_t code;     /*  0 target: enum mpol_ctl_error_code; 0: row unused */
    uint32_t err;      /*  4 target: errno */
    uint64_t count;    /*  8 target */
    uint64_t first_ns; /* 16 target: CLOCK_REALTIME */
    uint64_t last_ns;  /* 24 target */
    uint64_t detail[4];/* 32 target: by code, see lib/control/errors.h */
    uint64_t reserved[8]; /* 64 */
};

/* The call that failed. */
enum mpol_ctl_segment_step {
    MPOL_CTL_SEGMENT_MEMFD_CREATE = 1,
    MPOL_CTL_SEGMENT_FTRUNCATE = 2,
    MPOL_CTL_SEGMENT_FALLOCATE = 3,
    MPOL_CTL_SEGMENT_ADD_SEALS = 4,
    MPOL_CTL_SEGMENT_PWRITE = 5,
    MPOL_CTL_SEGMENT_MMAP = 6,
};

enum mpol_ctl_error_code {
    MPOL_CTL_ERROR_NONE = 0,
    MPOL_CTL_ERROR_MBIND = 1,         /* detail: address, size, mode word, lowest nodes */
    MPOL_CTL_ERROR_SET_MEMPOLICY = 2, /* detail: tid, mode word */
    MPOL_CTL_ERROR_HOME_NODE = 3,
    MPOL_CTL_ERROR_REGION = 4,        /* detail: bytes wanted */
    MPOL_CTL_ERROR_COMMIT = 5,
    MPOL_CTL_ERROR_SEGMENT = 6,       /* detail: enum mpol_ctl_segment_step; in the process's own memory,
                                         where the segment would be mapped */
    MPOL_CTL_ERROR_HELPER = 7,
    MPOL_CTL_ERROR_SCOPE = 8,         /* no arena for a thread's own policy */
    MPOL_CTL_ERROR_SLOTS = 9,         /* no free thread slot */
    MPOL_CTL_ERROR_PROBE = 10,        /* get_mempolicy is refused */
    MPOL_CTL_ERROR_LATCH = 11,        /* a policy whose bytes make no sense was ignored */
    MPOL_CTL_ERROR_SIGNAL = 12,       /* MPOL_SIGNAL names no usable signal; detail: its number */
    MPOL_CTL_ERROR_MAPPINGS = 13,     /* mappings could not be listed, or are too many to bind */
    MPOL_CTL_ERROR_WEIGHTS = 14,      /* too few mappings for weights: nodes have even shares; detail:
                                         address, size, mappings */
    MPOL_CTL_ERROR_WATCH = 15,        /* changes of the cpuset can't be watched; detail: 1 no descriptors of
                                         its own, 2 inotify, 3 the cgroup's directories */
    MPOL_CTL_ERROR_PLACED = 16,       /* too many mappings of threads' own: what they have for them is not
                                         kept over a rewrite of the process's; detail: address, size */
    MPOL_CTL_ERROR_LAST = MPOL_CTL_ERROR_PLACED,
};

#define MPOL_CTL_ERRORS_OFFSET 4096u
#define MPOL_CTL_SLOTS_OFFSET 8192u
#define MPOL_CTL_REGIONS_OFFSET (MPOL_CTL_SLOTS_OFFSET + MPOL_CTL_SLOTS * 256u)
#define MPOL_CTL_KINDS_OFFSET (MPOL_CTL_REGIONS_OFFSET + MPOL_CTL_REGIONS * 64u)
#define MPOL_CTL_EVENTS_OFFSET (MPOL_CTL_KINDS_OFFSET + MPOL_CTL_KIND_ROWS * 256u)
#define MPOL_CTL_OWN_KINDS_OFFSET (MPOL_CTL_EVENTS_OFFSET + MPOL_CTL_EVENTS * 64u)
#define MPOL_CTL_SAVED_OFFSET (MPOL_CTL_OWN_KINDS_OFFSET + MPOL_CTL_KINDS * MPOL_CTL_SLOTS * 256u)
#define MPOL_CTL_WEIGHTS_OFFSET (MPOL_CTL_SAVED_OFFSET + MPOL_CTL_SAVED_ROWS * 256u)
#define MPOL_CTL_SIZE (MPOL_CTL_WEIGHTS_OFFSET + MPOL_CTL_REGIONS * 64u)

struct mpol_ctl {
    struct mpol_ctl_header header;
    struct mpol_ctl_error errors[MPOL_CTL_ERRORS];
    struct mpol_ctl_slot slots[MPOL_CTL_SLOTS];
    struct mpol_ctl_region regions[MPOL_CTL_REGIONS];
    struct mpol_ctl_kind kinds[MPOL_CTL_KIND_ROWS];
    struct mpol_ctl_event events[MPOL_CTL_EVENTS];
    struct mpol_ctl_kind own_kinds[MPOL_CTL_KINDS][MPOL_CTL_SLOTS]; /* of the thread in that slot */
    struct mpol_ctl_saved saved[MPOL_CTL_SAVED_ROWS];
    struct mpol_ctl_region_weights weights[MPOL_CTL_REGIONS]; /* of the region in that row */
};

MPOL_CTL_ASSERT(sizeof(struct mpol_ctl_header) == 4096);
MPOL_CTL_ASSERT(offsetof(struct mpol_ctl_header, pid) == 48);
MPOL_CTL_ASSERT(offsetof(struct mpol_ctl_header, ack) == 72);
MPOL_CTL_ASSERT(offsetof(struct mpol_ctl_header, epoch) == 128);
MPOL_CTL_ASSERT(offsetof(struct mpol_ctl_header, process_word) == 256);
MPOL_CTL_ASSERT(offsetof(struct mpol_ctl_header, process_applied) == 456);
MPOL_CTL_ASSERT(offsetof(struct mpol_ctl_header, spare) == 480);
MPOL_CTL_ASSERT(offsetof(struct mpol_ctl_header, effective) == 680);
MPOL_CTL_ASSERT(offsetof(struct mpol_ctl_header, allowed) == 944);
MPOL_CTL_ASSERT(offsetof(struct mpol_ctl_header, inherited) == 1200);
MPOL_CTL_ASSERT(offsetof(struct mpol_ctl_header, counters) == 1392);
MPOL_CTL_ASSERT(offsetof(struct mpol_ctl_header, requests) == 1664);
MPOL_CTL_ASSERT(offsetof(struct mpol_ctl_header, migration) == 3712);
MPOL_CTL_ASSERT(offsetof(struct mpol_ctl_header, reserved4) == 3968);
MPOL_CTL_ASSERT(offsetof(struct mpol_ctl_header, watch_until_ns) == 4032);
MPOL_CTL_ASSERT(offsetof(struct mpol_ctl_header, event_bell) == 4048);
MPOL_CTL_ASSERT(sizeof(struct mpol_ctl_migration) == 256);
MPOL_CTL_ASSERT(offsetof(struct mpol_ctl_migration, failed) == 88);
MPOL_CTL_ASSERT(sizeof(struct mpol_ctl_request) == 256);
MPOL_CTL_ASSERT(offsetof(struct mpol_ctl_request, nodes) == 64);
MPOL_CTL_ASSERT(sizeof(struct mpol_ctl_slot) == 256);
MPOL_CTL_ASSERT(offsetof(struct mpol_ctl_slot, policy) == 64);
MPOL_CTL_ASSERT(sizeof(struct mpol_ctl_region) == 64);
MPOL_CTL_ASSERT(sizeof(struct mpol_ctl_event) == 64);
MPOL_CTL_ASSERT(sizeof(struct mpol_ctl_error) == 128);
MPOL_CTL_ASSERT(offsetof(struct mpol_ctl, errors) == MPOL_CTL_ERRORS_OFFSET);
MPOL_CTL_ASSERT(offsetof(struct mpol_ctl, slots) == MPOL_CTL_SLOTS_OFFSET);
MPOL_CTL_ASSERT(offsetof(struct mpol_ctl, regions) == MPOL_CTL_REGIONS_OFFSET);
MPOL_CTL_ASSERT(offsetof(struct mpol_ctl, events) == MPOL_CTL_EVENTS_OFFSET);
MPOL_CTL_ASSERT(sizeof(struct mpol_ctl_kind) == 256);
MPOL_CTL_ASSERT(offsetof(struct mpol_ctl_kind, policy) == 64);
MPOL_CTL_ASSERT(offsetof(struct mpol_ctl, kinds) == MPOL_CTL_KINDS_OFFSET);
MPOL_CTL_ASSERT(offsetof(struct mpol_ctl, own_kinds) == MPOL_CTL_OWN_KINDS_OFFSET);
MPOL_CTL_ASSERT(sizeof(struct mpol_ctl_saved) == 256);
MPOL_CTL_ASSERT(offsetof(struct mpol_ctl_saved, policy) == 64);
MPOL_CTL_ASSERT(offsetof(struct mpol_ctl_header, saved) == 84);
MPOL_CTL_ASSERT(offsetof(struct mpol_ctl, saved) == MPOL_CTL_SAVED_OFFSET);
MPOL_CTL_ASSERT(sizeof(struct mpol_ctl_region_weights) == 64);
MPOL_CTL_ASSERT(offsetof(struct mpol_ctl, weights) == MPOL_CTL_WEIGHTS_OFFSET);
MPOL_CTL_ASSERT(MPOL_CTL_SAVED_OFFSET % 4096 == 0 && MPOL_CTL_SIZE % 4096 == 0);
MPOL_CTL_ASSERT(MPOL_CTL_WEIGHTS_OFFSET % 4096 == 0);
MPOL_CTL_ASSERT(sizeof(struct mpol_ctl) == MPOL_CTL_SIZE);

#ifdef __cplusplus
}
#endif

#undef MPOL_CTL_ASSERT
#endif

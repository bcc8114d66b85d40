/* SPDX-License-Identifier: Apache-2.0
 * What process.bpf.c tells mpold of, one record an event in the ring buffer. Included by both sides;
 * fixed-width types come from whoever includes it. */
#ifndef MPOL_DAEMON_PROCESS_H
#define MPOL_DAEMON_PROCESS_H

enum mpol_process_event_kind {
    MPOL_PROCESS_FORK = 1,   /* a new process, not a new thread; parent: who made it */
    MPOL_PROCESS_EXEC = 2,   /* a process has a new program */
    MPOL_PROCESS_EXIT = 3,   /* its last thread has ended */
    MPOL_PROCESS_RENAME = 4, /* a thread has a new name, comm */
    MPOL_PROCESS_MOVE = 5,   /* a process was moved to another cgroup */
};

/* Pids are below that: PID_MAX_LIMIT of linux include/linux/threads.h, 64 bit. */
#define MPOL_PROCESS_PIDS (1 << 22)

struct mpol_process_event {
    __u32 kind;
    __u32 pid; /* thread group id in the initial pid namespace, as parent */
    __u32 tid;
    __u32 parent;  /* FORK only */
    __u64 time_ns; /* CLOCK_MONOTONIC */
    char comm[16]; /* FORK, EXEC: of the process; RENAME: the new name */
};

#endif

// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// Process events for mpold: fork, exec, exit and rename, at the scheduler's own tracepoints, and moves
// to other cgroups. Nothing is sampled and nothing polled: a process that lives a millisecond leaves
// its records. When the ring is full, what is lost is counted, and mpold looks through /proc.
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "process.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

// 48 bytes an event with its header: 20,000 events while mpold is busy elsewhere.
struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 1 << 20);
} events SEC(".maps");

__u64 lost = 0;

// Bit of each kind that is told at once; the others wait for one of these, or for mpold to look.
const volatile __u32 urgent = ~0U;

// A bit a pid: whom mpold follows, written by mpold. What others do besides executing programs is
// left out, so that it wakes nobody and takes no room.
const volatile bool followed_only = false;
__u64 followed[MPOL_PROCESS_PIDS / 64];

static bool is_left_out(struct task_struct *task) {
    const __u32 pid = BPF_CORE_READ(task, tgid);
    const __u64 word = followed[pid / 64 % (MPOL_PROCESS_PIDS / 64)];
    return followed_only && !(word >> pid % 64 & 1);
}

static struct mpol_process_event *reserve(__u32 kind, struct task_struct *task) {
    struct mpol_process_event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
    if (!event) {
        __sync_fetch_and_add(&lost, 1);
        return 0;
    }
    __builtin_memset(event, 0, sizeof(*event));
    event->kind = kind;
    event->pid = BPF_CORE_READ(task, tgid);
    event->tid = BPF_CORE_READ(task, pid);
    event->time_ns = bpf_ktime_get_ns();
    return event;
}

// Forced: left to itself the kernel wakes nobody while there is something unread already.
static void submit(struct mpol_process_event *event) {
    bpf_ringbuf_submit(event,
                       urgent & 1U << event->kind ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP);
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child) {
    if (BPF_CORE_READ(child, pid) != BPF_CORE_READ(child, tgid) || is_left_out(parent)) return 0;
    struct mpol_process_event *event = reserve(MPOL_PROCESS_FORK, child);
    if (!event) return 0;
    event->parent = BPF_CORE_READ(parent, tgid);
    bpf_get_current_comm(event->comm, sizeof(event->comm));
    submit(event);
    return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task) {
    struct mpol_process_event *event = reserve(MPOL_PROCESS_EXEC, task);
    if (!event) return 0;
    bpf_get_current_comm(event->comm, sizeof(event->comm));
    submit(event);
    return 0;
}

// Once a process: kernel/exit.c counts signal->live down before it comes here.
SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task) {
    if (BPF_CORE_READ(task, signal, live.counter) != 0 || is_left_out(task)) return 0;
    struct mpol_process_event *event = reserve(MPOL_PROCESS_EXIT, task);
    if (!event) return 0;
    submit(event);
    return 0;
}

SEC("tp_btf/task_rename")
int BPF_PROG(on_rename, struct task_struct *task, const char *comm) {
    if (is_left_out(task)) return 0;
    struct mpol_process_event *event = reserve(MPOL_PROCESS_RENAME, task);
    if (!event) return 0;
    bpf_probe_read_kernel_str(event->comm, sizeof(event->comm), comm);
    submit(event);
    return 0;
}

// Where cgroups are; mpold does without it elsewhere.
SEC("tp_btf/cgroup_attach_task")
int BPF_PROG(on_move, struct cgroup *to, const char *path, struct task_struct *task) {
    if (BPF_CORE_READ(task, pid) != BPF_CORE_READ(task, tgid) || is_left_out(task)) return 0;
    struct mpol_process_event *event = reserve(MPOL_PROCESS_MOVE, task);
    if (!event) return 0;
    submit(event);
    return 0;
}

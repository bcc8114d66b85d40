// SPDX-License-Identifier: Apache-2.0
// The C API of include/mpol/mpol.h, the four calls: argument checks in the kernel's order, then
// calls.h.
#include "mpol/mpol.h"

#include <linux/mempolicy.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "control/proc.h"
#include "sys/sys.h"
#include "task/calls.h"
#include "task/guarded.h"
#include "task/machine.h"

using mpol::NodeMask;
using namespace mpol::task;
namespace control = mpol::control;
namespace sys = mpol::sys;

namespace {

std::atomic<int> timeout_ms_setting{2000};

template <class... Args>
int kernel(long number, Args... args) {
    return ::syscall(number, args...) == -1 ? -errno : 0;
}

// The process of a pidfd; a pid that was reused meanwhile has a dead pidfd. One that has exited and
// that nobody has waited for yet still has a pid; its pidfd is readable.
int process_of_pidfd(int pidfd, TaskName& ret_task) {
    const auto pid = control::process_of_pidfd(pidfd);
    if (!pid) return -EBADF;
    pollfd exited{pidfd, POLLIN, 0};
    if (*pid <= 0 || ::poll(&exited, 1, 0) == 1) return -ESRCH;
    ret_task = {*pid, *pid, pidfd};
    return 0;
}

int set_on(const TaskName& task, const CallerPolicy& asked) {
    return set_policy(task, asked, mpol_timeout_ms());
}

// One more than the highest node id that can ever be: the kernel's nr_node_ids.
unsigned node_ids() {
    static const unsigned count = node_list("possible").end();
    return count;
}

// The checks of kernel_get_mempolicy and do_get_mempolicy that come before the task is looked at.
int check_get_arguments(const unsigned long* ret_nodemask, unsigned long maxnode, void* addr,
                        unsigned long flags) {
    if (ret_nodemask != nullptr && maxnode < node_ids()) return -EINVAL;
    if ((flags & ~static_cast<unsigned long>(MPOL_F_NODE | MPOL_F_ADDR | MPOL_F_MEMS_ALLOWED)) !=
        0) {
        return -EINVAL;
    }
    if ((flags & MPOL_F_MEMS_ALLOWED) != 0) {
        if ((flags & (MPOL_F_NODE | MPOL_F_ADDR)) != 0) return -EINVAL;
    } else if ((flags & MPOL_F_ADDR) == 0 && addr != nullptr) {
        return -EINVAL;
    }
    return 0;
}

// The rest of kernel_get_mempolicy: put_user, copy_nodes_to_user. Whole words, zero beyond those
// that hold the machine's nodes; more than a page is refused.
int store_policy(const Reported& policy, int* ret_mode, unsigned long* ret_nodemask,
                 unsigned long maxnode) {
    const size_t words = ret_nodemask == nullptr ? 0 : (maxnode - 1 + 63) / 64;
    if (ret_mode != nullptr && !sys::writable(ret_mode, sizeof(*ret_mode))) return -EFAULT;
    if (words * sizeof(*ret_nodemask) > sys::page_bytes()) return -EINVAL;
    if (words != 0 && !sys::writable(ret_nodemask, words * sizeof(*ret_nodemask))) return -EFAULT;
    if (ret_mode != nullptr) *ret_mode = policy.mode_word;
    const size_t known = std::min<size_t>((node_ids() + 63) / 64, mpol::kNodeWords);
    for (size_t i = 0; i < words; ++i) ret_nodemask[i] = i < known ? policy.nodes.words[i] : 0;
    return 0;
}

// MPOL_F_NODE alone: where an interleave of the task begins.
int next_node(const Reported& policy, int& ret_node) {
    const int mode = policy.mode_word & ~mpol::kModeFlags;
    if (mode != static_cast<int>(mpol::Mode::kInterleave) &&
        mode != static_cast<int>(mpol::Mode::kWeightedInterleave)) {
        return -EINVAL;
    }
    ret_node = static_cast<int>(policy.effective.first());
    return 0;
}

int get_at(const TaskName& task, void* addr, unsigned long flags, Reported& ret_policy) {
    control::Request request;
    request.op = MPOL_CTL_REQUEST_GET_MEMPOLICY;
    request.start = reinterpret_cast<uint64_t>(addr);
    request.flags = flags;
    control::Answer answer;
    const int err = ask(task, request, mpol_timeout_ms(), answer);
    if (err != 0) return err;
    ret_policy = {static_cast<int>(answer.mode), answer.nodes, answer.nodes};
    return 0;
}

int get_on(const TaskName& task, int* ret_mode, unsigned long* ret_nodemask, unsigned long maxnode,
           void* addr, unsigned long flags) {
    Reported policy;
    int err = 0;
    if ((flags & MPOL_F_MEMS_ALLOWED) != 0) {
        err = get_allowed(task, policy.nodes);
    } else if ((flags & MPOL_F_ADDR) != 0) {
        err = get_at(task, addr, flags, policy);
    } else {
        err = get_policy(task, policy);
        if (err == 0 && (flags & MPOL_F_NODE) != 0) err = next_node(policy, policy.mode_word);
    }
    return err != 0 ? err : store_policy(policy, ret_mode, ret_nodemask, maxnode);
}

// What set_mempolicy_home_node(2) checks before it looks at the address space.
int check_home_node(unsigned long start, unsigned long home_node, unsigned long flags) {
    return sys::set_mempolicy_home_node(reinterpret_cast<void*>(start), 0, home_node, flags);
}

int home_node_on(const TaskName& task, unsigned long start, unsigned long len,
                 unsigned long home_node, unsigned long flags) {
    control::Request request;
    request.op = MPOL_CTL_REQUEST_HOME_NODE;
    request.start = start;
    request.size = len;
    request.mode = home_node;
    request.flags = flags;
    control::Answer answer;
    return ask(task, request, mpol_timeout_ms(), answer);
}

// copy_struct_from_user: an older caller's struct is refused, a newer one's must say nothing new.
int read_mbind_args(const mpol_mbind_args* args, size_t size, mpol_mbind_args& ret_args) {
    if (size < sizeof(mpol_mbind_args)) return -EINVAL;
    if (size > sys::page_bytes()) return -E2BIG;
    if (!sys::readable(args, size)) return -EFAULT;
    const auto* bytes = reinterpret_cast<const unsigned char*>(args);
    const auto tail = std::any_of(bytes + sizeof(*args), bytes + size,
                                  [](unsigned char byte) { return byte != 0; });
    if (tail) return -E2BIG;
    std::memcpy(&ret_args, args, sizeof(ret_args));
    return 0;
}

// What kernel_mbind and do_mbind check before they look at the address space; MOVE_ALL needs the
// caller's own CAP_SYS_NICE, so the caller's kernel is asked, with no bytes.
int check_mbind(const mpol_mbind_args& args, CallerPolicy& ret_policy) {
    const int mode_word = static_cast<int>(args.mode);
    const int err = read_caller_policy(mode_word, args.nodemask, args.maxnode, ret_policy);
    if (err != 0) return err;
    return kernel(SYS_mbind, args.start, 0UL, args.mode, args.nodemask, args.maxnode, args.flags);
}

int mbind_on(const TaskName& task, const mpol_mbind_args& args, const CallerPolicy& policy) {
    control::Request request;
    request.op = MPOL_CTL_REQUEST_MBIND;
    request.start = args.start;
    request.size = args.len;
    request.mode = args.mode;
    request.max_node = policy.max_node;
    request.flags = args.flags;
    request.nodes = policy.nodes;
    control::Answer answer;
    return ask(task, request, mpol_timeout_ms(), answer);
}

}  // namespace

extern "C" {

int mpol_set_task_mempolicy(pid_t tid, int mode, const unsigned long* nodemask,
                            unsigned long maxnode) {
    return guarded([&] {
        if (tid == 0) return kernel(SYS_set_mempolicy, mode, nodemask, maxnode);
        CallerPolicy asked;
        TaskName task;
        int err = read_caller_policy(mode, nodemask, maxnode, asked);
        if (err == 0) err = find_task(tid, task);
        return err != 0 ? err : set_on(task, asked);
    });
}

int mpol_pidfd_set_mempolicy(int pidfd, int mode, const unsigned long* nodemask,
                             unsigned long maxnode) {
    return guarded([&] {
        CallerPolicy asked;
        TaskName task;
        int err = read_caller_policy(mode, nodemask, maxnode, asked);
        if (err == 0) err = process_of_pidfd(pidfd, task);
        return err != 0 ? err : set_on(task, asked);
    });
}

int mpol_get_task_mempolicy(pid_t tid, int* ret_mode, unsigned long* ret_nodemask,
                            unsigned long maxnode, void* addr, unsigned long flags) {
    return guarded([&] {
        if (tid == 0) {
            return kernel(SYS_get_mempolicy, ret_mode, ret_nodemask, maxnode, addr, flags);
        }
        TaskName task;
        int err = check_get_arguments(ret_nodemask, maxnode, addr, flags);
        if (err == 0) err = find_task(tid, task);
        return err != 0 ? err : get_on(task, ret_mode, ret_nodemask, maxnode, addr, flags);
    });
}

int mpol_pidfd_get_mempolicy(int pidfd, int* ret_mode, unsigned long* ret_nodemask,
                             unsigned long maxnode, void* addr, unsigned long flags) {
    return guarded([&] {
        TaskName task;
        int err = check_get_arguments(ret_nodemask, maxnode, addr, flags);
        if (err == 0) err = process_of_pidfd(pidfd, task);
        return err != 0 ? err : get_on(task, ret_mode, ret_nodemask, maxnode, addr, flags);
    });
}

int mpol_set_task_mempolicy_home_node(pid_t tid, unsigned long start, unsigned long len,
                                      unsigned long home_node, unsigned long flags) {
    return guarded([&] {
        if (tid == 0) {
            return sys::set_mempolicy_home_node(reinterpret_cast<void*>(start), len, home_node,
                                                flags);
        }
        TaskName task;
        int err = check_home_node(start, home_node, flags);
        if (err == 0) err = find_task(tid, task);
        return err != 0 ? err : home_node_on(task, start, len, home_node, flags);
    });
}

int mpol_pidfd_set_mempolicy_home_node(int pidfd, unsigned long start, unsigned long len,
                                       unsigned long home_node, unsigned long flags) {
    return guarded([&] {
        TaskName task;
        int err = check_home_node(start, home_node, flags);
        if (err == 0) err = process_of_pidfd(pidfd, task);
        return err != 0 ? err : home_node_on(task, start, len, home_node, flags);
    });
}

int mpol_task_mbind(const struct mpol_mbind_args* args, size_t size) {
    return guarded([&] {
        mpol_mbind_args copy{};
        int err = read_mbind_args(args, size, copy);
        if (err != 0) return err;
        if (copy.pid == 0) {
            return kernel(SYS_mbind, copy.start, copy.len, copy.mode, copy.nodemask, copy.maxnode,
                          copy.flags);
        }
        CallerPolicy policy;
        TaskName task;
        err = check_mbind(copy, policy);
        if (err == 0) err = find_task(copy.pid, task);
        return err != 0 ? err : mbind_on(task, copy, policy);
    });
}

int mpol_pidfd_mbind(int pidfd, const struct mpol_mbind_args* args, size_t size) {
    return guarded([&] {
        mpol_mbind_args copy{};
        CallerPolicy policy;
        TaskName task;
        int err = read_mbind_args(args, size, copy);
        if (err == 0) err = check_mbind(copy, policy);
        if (err == 0) err = process_of_pidfd(pidfd, task);
        return err != 0 ? err : mbind_on(task, copy, policy);
    });
}

void mpol_set_timeout_ms(int timeout_ms) {
    timeout_ms_setting.store(std::max(timeout_ms, 0));
}
int mpol_timeout_ms(void) {
    return timeout_ms_setting.load();
}

const char* mpol_version(void) {
    return MPOL_VERSION;
}

}  // extern "C"

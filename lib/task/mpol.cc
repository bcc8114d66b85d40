// SPDX-License-Identifier: Apache-2.0
// The C API of include/mpol/mpol.h: argument checks in the kernel's order, then calls.h. No C++
// exception leaves: running out of memory in here is -ENOMEM.
#include "mpol/mpol.h"

#include <linux/mempolicy.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstring>
#include <new>

#include "control/proc.h"
#include "policy/parse.h"
#include "policy/text.h"
#include "sys/sys.h"
#include "task/calls.h"
#include "task/machine.h"

using mpol::NodeMask;
using mpol::Policy;
using namespace mpol::task;
namespace control = mpol::control;
namespace sys = mpol::sys;

struct mpol_target {
    control::Target target;
};

namespace {

std::atomic<int> timeout_ms_setting{2000};

template <class Body>
int guarded(Body body) {
    const sys::ErrnoGuard guard;
    try {
        return body();
    } catch (const std::bad_alloc&) {
        return -ENOMEM;
    }
}

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
    if ((flags & ~static_cast<unsigned long>(MPOL_F_NODE | MPOL_F_ADDR | MPOL_F_MEMS_ALLOWED)) != 0) {
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

bool to_policy(const mpol_policy& in, Policy& ret_policy) {
    NodeMask nodes;
    std::copy_n(in.nodes, mpol::kNodeWords, nodes.words);
    const auto mode_word = static_cast<uint32_t>(in.mode) | in.flags;
    if (in.mode < 0 || (in.flags & ~uint32_t{mpol::kModeFlags}) != 0 || in.reserved != 0) {
        return false;
    }
    if (mpol::make_policy(static_cast<int>(mode_word), nodes, kernel_modes(), ret_policy) != 0) {
        return false;
    }
    if (in.home_node == MPOL_NO_NODE) return true;
    ret_policy.home_node = in.home_node;
    return mpol::takes_home_node(ret_policy.mode) && in.home_node >= 0 &&
           in.home_node < static_cast<int32_t>(mpol::kMaxNodes);
}

mpol_policy from_policy(const Policy& in) {
    mpol_policy out{};
    out.mode = static_cast<int32_t>(in.mode);
    out.flags = in.flags;
    out.home_node = in.home_node;
    std::copy_n(in.nodes.words, mpol::kNodeWords, out.nodes);
    return out;
}

mpol_state to_state(const control::Published& asked, uint64_t applied, int error) {
    mpol_state out{};
    out.set = asked.set ? 1 : 0;
    out.in_force = applied == asked.generation && error == 0 ? 1 : 0;
    out.generation = asked.generation;
    out.origin = static_cast<uint32_t>(asked.origin.kind);
    out.origin_uid = asked.origin.uid;
    out.origin_pid = asked.origin.pid;
    out.error = error;
    out.set_at_ns = asked.origin.time_ns;
    out.policy = from_policy(asked.policy);
    return out;
}

int contextualised(const mpol_target& target, const Policy& policy) {
    const auto allowed = control::mems_allowed(target.target.pid());
    if (!allowed) return -ESRCH;
    NodeMask effective;
    return mpol::contextualise(policy, *allowed & node_list("has_memory"), effective);
}

int write_process(control::Target& target, const std::optional<Policy>& policy, int timeout_ms) {
    const auto published = target.publish_process(policy, mpol_timeout_ms());
    if (!published) return -published.error().err;
    if (timeout_ms == 0) return 0;
    if (!target.wait_process(*published, timeout_ms)) return -ETIMEDOUT;
    return -target.process().applied_errno;
}

int write_thread(control::Target& target, pid_t tid, const std::optional<Policy>& policy,
                 int timeout_ms) {
    const auto slot = target.slot_of(tid);
    if (!slot) return -slot.error().err;
    const auto published = target.publish_thread(*slot, policy, mpol_timeout_ms());
    if (!published) return -published.error().err;
    if (timeout_ms == 0) return 0;
    if (!target.wait_thread(*slot, *published, timeout_ms)) return -ETIMEDOUT;
    const auto state = target.thread(*slot);
    return state ? -state->applied_errno : 0;
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

void mpol_set_timeout_ms(int timeout_ms) { timeout_ms_setting.store(std::max(timeout_ms, 0)); }
int mpol_timeout_ms(void) { return timeout_ms_setting.load(); }

int mpol_open(pid_t pid, unsigned access, mpol_target** ret_target) {
    return guarded([&] {
        if (access != MPOL_READ && access != MPOL_WRITE) return -EINVAL;
        auto target = control::Target::attach(
            pid, access == MPOL_WRITE ? control::Access::kWrite : control::Access::kRead);
        if (!target) return -target.error().err;
        *ret_target = new mpol_target{std::move(*target)};
        return 0;
    });
}

void mpol_close(mpol_target* target) { delete target; }

int mpol_read(const mpol_target* target, pid_t tid, struct mpol_state* ret_state) {
    return guarded([&] {
        if (tid == 0) {
            const control::ProcessState state = target->target.process();
            if (!state.asked.readable) return -EAGAIN;
            *ret_state = to_state(state.asked, state.applied, state.applied_errno);
            return 0;
        }
        const auto slot = target->target.slot_of(tid);
        if (!slot) return -slot.error().err;
        const auto state = target->target.thread(*slot);
        if (!state) return -ESRCH;
        if (!state->asked.readable) return -EAGAIN;
        *ret_state = to_state(state->asked, state->applied, state->applied_errno);
        return 0;
    });
}

int mpol_write(mpol_target* target, pid_t tid, const struct mpol_policy* policy, int timeout_ms) {
    return guarded([&] {
        std::optional<Policy> wanted;
        if (policy != nullptr) {
            wanted.emplace();
            if (!to_policy(*policy, *wanted)) return -EINVAL;
            if (const int err = contextualised(*target, *wanted); err != 0) return err;
        }
        return tid == 0 ? write_process(target->target, wanted, timeout_ms)
                        : write_thread(target->target, tid, wanted, timeout_ms);
    });
}

int mpol_parse(const char* text, struct mpol_policy* ret_policy, char* ret_error,
               size_t error_size) {
    return guarded([&] {
        mpol::ParseContext context;
        context.has_memory = node_list("has_memory");
        context.kernel = kernel_modes();
        const auto policy = mpol::parse_lenient(text, context);
        if (policy) {
            *ret_policy = from_policy(*policy);
            return 0;
        }
        if (ret_error != nullptr && error_size > 0) {
            const std::string line = policy.error().problem + "; accepted: " + policy.error().accepted;
            const size_t size = std::min(line.size(), error_size - 1);
            std::memcpy(ret_error, line.data(), size);
            ret_error[size] = '\0';
        }
        return -EINVAL;
    });
}

int mpol_format(const struct mpol_policy* policy, char* ret_text, size_t size) {
    return guarded([&] {
        Policy value;
        if (!to_policy(*policy, value)) return -EINVAL;
        const std::string text = mpol::policy_text(value);
        if (size > 0) {
            const size_t kept = std::min(text.size(), size - 1);
            std::memcpy(ret_text, text.data(), kept);
            ret_text[kept] = '\0';
        }
        return static_cast<int>(text.size());
    });
}

const char* mpol_version(void) { return MPOL_VERSION; }

}  // extern "C"

// SPDX-License-Identifier: Apache-2.0
#include "calls.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cerrno>

namespace mpol::test {
namespace {

constexpr int kSetMempolicyHomeNode = 450;  // On every architecture.
// What a seccomp filter or a kernel without NUMA says to any policy call, and what mbind(2) and
// set_mempolicy(2) say themselves.
const std::vector<int> kPolicyErrnos = {EPERM, ENOSYS, ENOMEM, EINVAL, EFAULT, EIO};

Call with(Call call, int argument, unsigned mask, unsigned value) {
    call.argument = argument;
    call.mask = mask;
    call.value = value;
    return call;
}

}  // namespace

const std::vector<Call>& calls_of_ours() {
    static const std::vector<Call> all = {
        {"memfd_create", {SYS_memfd_create}, {ENOSYS, EPERM, EMFILE, ENFILE, ENOMEM, EINVAL}},
        {"ftruncate", {SYS_ftruncate}, {EPERM, EINVAL, EINTR}},
        {"fallocate", {SYS_fallocate}, {ENOSPC, ENOMEM, EINTR, EOPNOTSUPP, EPERM}},
        {"pwrite", {SYS_pwrite64}, {ENOSPC, EIO, EINTR, ENOMEM}},
        with({"fcntl_add_seals", {SYS_fcntl}, {EPERM, EBUSY, EINVAL}}, 1, UINT_MAX, F_ADD_SEALS),
        with({"fcntl_dupfd", {SYS_fcntl}, {EMFILE, EINVAL}}, 1, UINT_MAX, F_DUPFD_CLOEXEC),
        {"dup3", {SYS_dup3}, {EMFILE, EBUSY, EINTR}},
        {"prlimit", {SYS_prlimit64}, {EPERM, EFAULT}},
        with({"mmap_segment", {SYS_mmap}, {ENOMEM, EPERM, EAGAIN}}, 3, MAP_SHARED | MAP_FIXED,
             MAP_SHARED | MAP_FIXED),
        {"mbind", {SYS_mbind}, kPolicyErrnos},
        {"set_mempolicy", {SYS_set_mempolicy}, kPolicyErrnos},
        {"get_mempolicy", {SYS_get_mempolicy}, kPolicyErrnos},
        {"set_mempolicy_home_node", {kSetMempolicyHomeNode}, kPolicyErrnos},
        {"inotify_init", {SYS_inotify_init1}, {EMFILE, ENFILE, ENOMEM, ENOSYS}},
        {"inotify_add_watch", {SYS_inotify_add_watch}, {ENOSPC, ENOMEM, EACCES, ENOENT}},
        {"close_range", {SYS_close_range}, {EMFILE, ENOMEM, ENOSYS, EPERM}},
        with({"prctl_set_name", {SYS_prctl}, {EPERM, EFAULT}}, 0, UINT_MAX, PR_SET_NAME),
        with({"futex_wait", {SYS_futex}, {EINTR, EAGAIN, ETIMEDOUT}}, 1, UINT_MAX, FUTEX_WAIT),
        with({"futex_wake", {SYS_futex}, {EFAULT, EINVAL}}, 1, UINT_MAX, FUTEX_WAKE),
        {"getpriority", {SYS_getpriority}, {ESRCH, EPERM}},
        {"setpriority", {SYS_setpriority}, {EACCES, EPERM}},
        {"getpid", {SYS_getpid}, {EPERM}},
        {"gettid", {SYS_gettid}, {EPERM}},
        {.name = "sched_yield", .numbers = {SYS_sched_yield}, .errnos = {EPERM}, .by_chance = true},
    };
    return all;
}

const std::vector<Call>& calls_of_any_allocator() {
    static const std::vector<Call> all = {
        with({"mmap_anonymous", {SYS_mmap}, {ENOMEM}}, 3, MAP_ANONYMOUS, MAP_ANONYMOUS),
        {"munmap", {SYS_munmap}, {ENOMEM, EINVAL}},
        {"mprotect", {SYS_mprotect}, {ENOMEM, EACCES}},
        {"mremap", {SYS_mremap}, {ENOMEM, EAGAIN, EINVAL}},
        {"madvise", {SYS_madvise}, {ENOMEM, EINVAL, EAGAIN, EPERM}},
        {"clone", {SYS_clone, SYS_clone3}, {EAGAIN, ENOMEM, EPERM}},
        {"open", {SYS_openat}, {ENOENT, EACCES, EMFILE, ENFILE, EINTR}},
        {"fstat", {SYS_fstat, SYS_newfstatat}, {EBADF, ENOMEM, EACCES}},
        {"close", {SYS_close}, {EINTR, EIO}},
    };
    return all;
}

}  // namespace mpol::test

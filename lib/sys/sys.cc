// SPDX-License-Identifier: Apache-2.0
#include "sys/sys.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <linux/memfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif
#ifndef SYS_set_mempolicy_home_node
#define SYS_set_mempolicy_home_node 450
#endif
#ifndef F_ADD_SEALS
#define F_ADD_SEALS 1033
#endif

namespace mpol::sys {
namespace {

constexpr unsigned long kMaxNodeArgument = kMaxNodes + 1;
constexpr unsigned long kMemsAllowed = 1UL << 2;

template <class... Args>
long call(long number, Args... args) {
    const int saved = errno;
    const long result = ::syscall(number, args...);
    if (result != -1) return result;
    const int err = errno;
    errno = saved;
    return -err;
}

template <class... Args>
int policy_call(long number, Args... args) {
    return policy_calls_are_deadly() ? -EPERM : static_cast<int>(call(number, args...));
}

}  // namespace

ErrnoGuard::ErrnoGuard() : saved_(errno) {}
ErrnoGuard::~ErrnoGuard() {
    errno = saved_;
}

int set_mempolicy(int mode_word, const NodeMask& nodes) {
    const bool none = nodes.empty();
    return static_cast<int>(policy_call(SYS_set_mempolicy, mode_word, none ? nullptr : nodes.words,
                                        none ? 0UL : kMaxNodeArgument));
}

int get_mempolicy(int& ret_mode_word, NodeMask& ret_nodes) {
    int mode_word = 0;
    NodeMask nodes;
    const long result =
        policy_call(SYS_get_mempolicy, &mode_word, nodes.words, kMaxNodeArgument, nullptr, 0UL);
    if (result < 0) return static_cast<int>(result);
    ret_mode_word = mode_word;
    ret_nodes = nodes;
    return 0;
}

int get_mems_allowed(NodeMask& ret_nodes) {
    NodeMask nodes;
    const long result = policy_call(SYS_get_mempolicy, nullptr, nodes.words, kMaxNodeArgument,
                                    nullptr, kMemsAllowed);
    if (result < 0) return static_cast<int>(result);
    ret_nodes = nodes;
    return 0;
}

int mbind(void* start, size_t size, int mode_word, const NodeMask& nodes, unsigned flags) {
    const bool none = nodes.empty();
    return static_cast<int>(
        policy_call(SYS_mbind, start, size, static_cast<unsigned long>(mode_word),
                    none ? nullptr : nodes.words, none ? 0UL : kMaxNodeArgument, flags));
}

int mbind_as_asked(void* start, size_t size, unsigned long mode_word, const NodeMask& nodes,
                   unsigned long max_node, unsigned flags) {
    return static_cast<int>(
        policy_call(SYS_mbind, start, size, mode_word, max_node == 0 ? nullptr : nodes.words,
                    max_node == 0 ? 0UL : std::min(max_node, kMaxNodeArgument), flags));
}

int set_mempolicy_home_node(void* start, size_t size, unsigned long node, unsigned long flags) {
    return static_cast<int>(policy_call(SYS_set_mempolicy_home_node, start, size, node, flags));
}

int get_mempolicy_at(void* address, unsigned flags, int& ret_mode_word, NodeMask& ret_nodes) {
    int mode_word = 0;
    NodeMask nodes;
    const long result = policy_call(SYS_get_mempolicy, &mode_word, nodes.words, kMaxNodeArgument,
                                    address, static_cast<unsigned long>(flags));
    if (result < 0) return static_cast<int>(result);
    ret_mode_word = mode_word;
    ret_nodes = nodes;
    return 0;
}

int move_pages(size_t count, void* const* pages, const int* nodes, int* ret_status) {
    return policy_call(SYS_move_pages, 0, count, pages, nodes, ret_status, 2 /* MPOL_MF_MOVE */);
}

int check_mode_and_mask(int mode_word, const unsigned long* nodemask, unsigned long maxnode) {
    return static_cast<int>(policy_call(SYS_mbind, 0UL, 0UL, static_cast<unsigned long>(mode_word),
                                        nodemask, maxnode, 0U));
}

namespace {
// One byte of each page is moved between the caller and itself.
bool accessible(uintptr_t start, size_t size, bool write) {
    const size_t page = page_bytes();
    for (uintptr_t at = start; at < start + size; at = (at / page + 1) * page) {
        char byte = 0;
        iovec here{&byte, 1};
        iovec there{reinterpret_cast<void*>(at), 1};
        const pid_t self = process_id();
        if (call(SYS_process_vm_readv, self, &here, 1UL, &there, 1UL, 0UL) != 1) return false;
        if (write && call(SYS_process_vm_writev, self, &here, 1UL, &there, 1UL, 0UL) != 1) {
            return false;
        }
    }
    return true;
}
}  // namespace

bool readable(const void* start, size_t size) {
    return accessible(reinterpret_cast<uintptr_t>(start), size, false);
}
bool writable(void* start, size_t size) {
    return accessible(reinterpret_cast<uintptr_t>(start), size, true);
}
bool all_mapped(void* start, size_t size) {
    return call(SYS_msync, start, size, MS_ASYNC) == 0;
}
size_t page_bytes() {
    return static_cast<size_t>(::sysconf(_SC_PAGESIZE));
}

long map(void* at, size_t size, int prot, int flags, int fd, off_t offset) {
    return call(SYS_mmap, at, size, prot, flags, fd, offset);
}

long remap(void* from, size_t from_size, size_t size, int flags, void* to) {
    return call(SYS_mremap, from, from_size, size, flags, to);
}

void* reserve(void* hint, size_t size, int prot, int& ret_errno) {
    const long got = map(hint, size, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (!is_error(got)) return reinterpret_cast<void*>(got);
    ret_errno = static_cast<int>(-got);
    return MAP_FAILED;
}

void* map_fixed_private(void* at, size_t size) {
    const long got =
        map(at, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    return is_error(got) ? MAP_FAILED : reinterpret_cast<void*>(got);
}

int map_fixed_shared(void* at, size_t size, int fd) {
    const long got = map(at, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
    return is_error(got) ? static_cast<int>(got) : 0;
}

int unmap(void* start, size_t size) {
    return static_cast<int>(call(SYS_munmap, start, size));
}

int protect(void* start, size_t size, int prot) {
    return static_cast<int>(call(SYS_mprotect, start, size, prot));
}

int advise(void* start, size_t size, int advice) {
    return static_cast<int>(call(SYS_madvise, start, size, advice));
}

ssize_t advise_together(const iovec* ranges, unsigned count, int advice) {
    constexpr int kSelf = -10000;  // PIDFD_SELF_THREAD (include/uapi/linux/pidfd.h)
    if (seccomp_mode() != 0) return -EPERM;
    return call(SYS_process_madvise, kSelf, ranges, static_cast<unsigned long>(count), advice, 0U);
}

bool address_space_limited() {
    rlimit limit{};
    return call(SYS_prlimit64, 0, RLIMIT_AS, nullptr, &limit) == 0 &&
           limit.rlim_cur != RLIM_INFINITY;
}

int memfd(const char* name) {
    const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    const long fd = call(SYS_memfd_create, name, flags | MFD_NOEXEC_SEAL);
    if (fd != -EINVAL) return static_cast<int>(fd);
    return static_cast<int>(call(SYS_memfd_create, name, flags));
}

int truncate(int fd, off_t size) {
    return static_cast<int>(call(SYS_ftruncate, fd, size));
}

int allocate(int fd, off_t offset, off_t size) {
    return static_cast<int>(call(SYS_fallocate, fd, 0, offset, size));
}

int add_seals(int fd, int seals) {
    return static_cast<int>(call(SYS_fcntl, fd, F_ADD_SEALS, seals));
}

ssize_t write_at(int fd, const void* data, size_t size, off_t offset) {
    return call(SYS_pwrite64, fd, data, size, offset);
}

int duplicate_above(int fd, int at_least) {
    return static_cast<int>(call(SYS_fcntl, fd, F_DUPFD_CLOEXEC, at_least));
}

int replace(int fd, int from) {
    return static_cast<int>(call(SYS_dup3, from, fd, O_CLOEXEC));
}

int identify(int fd, FileId& ret_id) {
    const ErrnoGuard guard;
    struct stat status {};
    if (::fstat(fd, &status) != 0) return -errno;
    ret_id = {status.st_dev, status.st_ino};
    return 0;
}

int close(int fd) {
    return static_cast<int>(call(SYS_close, fd));
}

int open_to_read(const char* path) {
    return static_cast<int>(call(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC));
}

ssize_t read_some(int fd, void* buffer, size_t size) {
    return call(SYS_read, fd, buffer, size);
}

ssize_t read_file(const char* path, void* buffer, size_t size) {
    const int fd = open_to_read(path);
    if (fd < 0) return fd;
    const ssize_t got = read_some(fd, buffer, size);
    close(fd);
    return got;
}

int leave_descriptors(int keep) {
    constexpr unsigned kUnshare = 2;  // CLOSE_RANGE_UNSHARE
    const long err = call(SYS_close_range, static_cast<unsigned>(keep + 1), ~0U, kUnshare);
    if (err != 0 || keep <= 0) return static_cast<int>(err);
    return static_cast<int>(call(SYS_close_range, 0U, static_cast<unsigned>(keep - 1), 0U));
}

namespace {
// linux/fs.h of 6.7: struct pm_scan_arg and struct page_region.
struct PagemapScan {
    uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
    uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
struct PageRegion {
    uint64_t start, end, categories;
};
constexpr uint64_t kPageIsHuge = 1 << 6;
}  // namespace

int is_huge_page(int pagemap, uintptr_t start, size_t size) {
    PageRegion found{};
    PagemapScan scan{};
    scan.size = sizeof(scan);
    scan.start = start;
    scan.end = start + size;
    scan.vec = reinterpret_cast<uint64_t>(&found);
    scan.vec_len = 1;
    scan.category_mask = scan.return_mask = kPageIsHuge;
    const long regions = call(SYS_ioctl, pagemap, _IOWR('f', 16, PagemapScan), &scan);
    if (regions < 0) return static_cast<int>(regions);
    return regions == 1 && found.start == start && found.end == start + size ? 1 : 0;
}

uint64_t descriptors_max() {
    rlimit limit{};
    if (call(SYS_prlimit64, 0, RLIMIT_NOFILE, nullptr, &limit) != 0) return 1024;
    return limit.rlim_cur;
}

RaisedDescriptorLimit::RaisedDescriptorLimit(uint64_t at_least) : before_{} {
    static_assert(sizeof(rlimit) == sizeof(before_));
    if (call(SYS_prlimit64, 0, RLIMIT_NOFILE, nullptr, before_) != 0) return;
    if (before_[0] >= at_least || before_[1] < at_least) return;
    const uint64_t raised[2] = {at_least, before_[1]};
    raised_ = call(SYS_prlimit64, 0, RLIMIT_NOFILE, raised, nullptr) == 0;
}

RaisedDescriptorLimit::~RaisedDescriptorLimit() {
    if (raised_) call(SYS_prlimit64, 0, RLIMIT_NOFILE, before_, nullptr);
}

pid_t process_id() {
    return static_cast<pid_t>(call(SYS_getpid));
}
pid_t thread_id() {
    return static_cast<pid_t>(call(SYS_gettid));
}

int send_signal(pid_t pid, pid_t tid, int signal) {
    return static_cast<int>(call(SYS_tgkill, pid, tid, signal));
}

uint64_t start_time() {
    char text[1024];
    const ssize_t size = read_file("/proc/self/stat", text, sizeof(text) - 1);
    if (size <= 0) return 0;
    text[size] = '\0';
    // The second field is the command in parentheses and may hold anything, blanks included.
    const char* at = std::strrchr(text, ')');
    if (at == nullptr) return 0;
    for (int field = 2; field < 22; ++field) {
        at = std::strchr(at, ' ');
        if (at == nullptr) return 0;
        ++at;
    }
    uint64_t ticks = 0;
    for (; *at >= '0' && *at <= '9'; ++at) ticks = ticks * 10 + static_cast<uint64_t>(*at - '0');
    return ticks;
}

int seccomp_mode() {
    return static_cast<int>(call(SYS_prctl, PR_GET_SECCOMP, 0, 0, 0, 0));
}

int get_nice(int& ret_nice) {
    if (seccomp_mode() != 0) return -EPERM;
    const long got = call(SYS_getpriority, PRIO_PROCESS, 0);
    if (got < 0) return static_cast<int>(got);
    ret_nice = 20 - static_cast<int>(got);
    return 0;
}

int set_nice(int nice) {
    if (seccomp_mode() != 0) return -EPERM;
    return static_cast<int>(call(SYS_setpriority, PRIO_PROCESS, 0, nice));
}

int futex_wait(const uint32_t* word, uint32_t expected, int64_t timeout_ns) {
    timespec timeout{timeout_ns / 1'000'000'000, timeout_ns % 1'000'000'000};
    return static_cast<int>(
        call(SYS_futex, word, FUTEX_WAIT, expected, timeout_ns < 0 ? nullptr : &timeout));
}

int futex_wake(const uint32_t* word, int count) {
    return static_cast<int>(call(SYS_futex, word, FUTEX_WAKE, count));
}

void yield() {
    call(SYS_sched_yield);
}

namespace {
uint64_t clock_ns(clockid_t clock) {
    timespec now{};
    ::clock_gettime(clock, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<uint64_t>(now.tv_nsec);
}
}  // namespace

uint64_t monotonic_ns() {
    return clock_ns(CLOCK_MONOTONIC);
}
uint64_t thread_cpu_ns() {
    return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}
uint64_t realtime_ns() {
    return clock_ns(CLOCK_REALTIME);
}

}  // namespace mpol::sys

// SPDX-License-Identifier: Apache-2.0
// Every raw system call of the preloaded library, behind one contract.
//
//   - Returns what the kernel returns: >= 0, or -errno. The caller's errno is never changed.
//   - Never allocates, never takes a lock, async-signal-safe.
//   - Node masks are whole NodeMasks; the off-by-one of maxnode (only bits 0..maxnode-2 are read,
//     mm/mempolicy.c get_nodes) is dealt with here and nowhere else.
#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>

#include "policy/policy.h"

namespace mpol::sys {

// Where the errno of a process with more than one user can't be touched.
class ErrnoGuard {
  public:
    ErrnoGuard();
    ~ErrnoGuard();
    ErrnoGuard(const ErrnoGuard&) = delete;
    ErrnoGuard& operator=(const ErrnoGuard&) = delete;

  private:
    int saved_;
};

// --- memory policy: set_mempolicy(2), get_mempolicy(2), mbind(2), set_mempolicy_home_node(2)
//
// All return -EPERM without making the call where a seccomp filter would kill for it.

// True where such a filter is in place; found out once, by a child that makes the calls.
bool policy_calls_are_deadly();

int set_mempolicy(int mode_word, const NodeMask& nodes);
// The calling thread's task policy, as the kernel reports it.
int get_mempolicy(int& ret_mode_word, NodeMask& ret_nodes);
// Memory nodes of the caller's cpuset.
int get_mems_allowed(NodeMask& ret_nodes);
int mbind(void* start, size_t size, int mode_word, const NodeMask& nodes, unsigned flags);
// All of the system calls' own arguments, for carrying out somebody's call: max_node is the caller's
// (0: no mask), and the mask's bits beyond it are not looked at.
int mbind_as_asked(void* start, size_t size, unsigned long mode_word, const NodeMask& nodes,
                   unsigned long max_node, unsigned flags);
int set_mempolicy_home_node(void* start, size_t size, unsigned long node, unsigned long flags);
// flags of get_mempolicy(2); the address counts with MPOL_F_ADDR.
int get_mempolicy_at(void* address, unsigned flags, int& ret_mode_word, NodeMask& ret_nodes);

// move_pages(2) on the caller itself: 0, -errno, or how many pages were not migrated; status of those
// that were not tried is not written. nodes nullptr: only asks where they lie.
int move_pages(size_t count, void* const* pages, const int* nodes, int* ret_status);

// sanitize_mpol_flags and get_nodes of the kernel, without a change to anything: mbind of no bytes.
int check_mode_and_mask(int mode_word, const unsigned long* nodemask, unsigned long maxnode);

// --- memory

// Whether the kernel could read or write the bytes there now (the last page's too).
bool readable(const void* start, size_t size);
bool writable(void* start, size_t size);
// Whether all of the pages are mapped: msync(2) that has nothing to write.
bool all_mapped(void* start, size_t size);
size_t page_bytes();

// Of what returns an address, or -errno.
constexpr bool is_error(long got) {
    return got < 0 && got >= -4095;
}
// mmap(2), past whoever stands in front of the C library's. The address, or -errno.
long map(void* at, size_t size, int prot, int flags, int fd, off_t offset);
// mremap(2), likewise; to counts with MREMAP_FIXED.
long remap(void* from, size_t from_size, size_t size, int flags, void* to);
// The next two return MAP_FAILED or the address; err receives errno.
void* reserve(void* hint, size_t size, int prot, int& ret_errno);
void* map_fixed_private(void* at, size_t size);
int map_fixed_shared(void* at, size_t size, int fd);
int unmap(void* start, size_t size);
int protect(void* start, size_t size, int prot);
int advise(void* start, size_t size, int advice);
// process_madvise(2) of the calling process itself. Bytes advised, or -errno: -EBADF where the kernel
// knows no PIDFD_SELF_THREAD, -EPERM under a seccomp filter, without making the call.
ssize_t advise_together(const iovec* ranges, unsigned count, int advice);

// True where RLIMIT_AS is set.
bool address_space_limited();

// --- descriptors

// A memfd that can't be executed where the kernel knows how (6.3), close-on-exec, sealable.
int memfd(const char* name);
int truncate(int fd, off_t size);
int allocate(int fd, off_t offset, off_t size);
int add_seals(int fd, int seals);
ssize_t write_at(int fd, const void* data, size_t size, off_t offset);
// The lowest free descriptor >= at_least, close-on-exec.
int duplicate_above(int fd, int at_least);
int close(int fd);
// fd becomes another name of from, close-on-exec; what fd was is closed.
int replace(int fd, int from);
struct FileId {
    uint64_t device = 0;
    uint64_t inode = 0;
    friend bool operator==(const FileId&, const FileId&) = default;
};
int identify(int fd, FileId& ret_id);
// A descriptor, close-on-exec.
int open_to_read(const char* path);
ssize_t read_some(int fd, void* buffer, size_t size);
// Bytes read, from the file's start, at most size.
ssize_t read_file(const char* path, void* buffer, size_t size);
// The calling thread has a table of descriptors of its own from now on, with nothing in it but keep
// (-1: nothing): what the program closes is not closed for it, and its descriptors are nobody's
// surprise. Linux 5.9.
int leave_descriptors(int keep);
// Whether a huge page is mapped over the whole range (PAGEMAP_SCAN, Linux 6.7), asked of an open
// /proc/self/pagemap: 1, 0, or -errno.
int is_huge_page(int pagemap, uintptr_t start, size_t size);
// Soft limit of open files.
uint64_t descriptors_max();
// While it lives, the soft limit of open files is at least as given, where the hard limit allows.
class RaisedDescriptorLimit {
  public:
    explicit RaisedDescriptorLimit(uint64_t at_least);
    ~RaisedDescriptorLimit();
    RaisedDescriptorLimit(const RaisedDescriptorLimit&) = delete;
    RaisedDescriptorLimit& operator=(const RaisedDescriptorLimit&) = delete;

  private:
    uint64_t before_[2];  // struct rlimit
    bool raised_ = false;
};

// Connects to the unix stream socket there, without waiting, and hangs up: its listener learns who.
// 0 or -errno. Three system calls.
int knock(const char* path);

// --- tasks

pid_t process_id();
pid_t thread_id();
int send_signal(pid_t pid, pid_t tid, int signal);
// The calling thread's nice value (getpriority(2), setpriority(2)). 0 or -errno: -EACCES where it may
// not be lower, -EPERM under a seccomp filter, without making the call.
int get_nice(int& ret_nice);
int set_nice(int nice);
// Field 22 of /proc/self/stat, 0 when unreadable.
uint64_t start_time();
// 0 no filter, 2 a filter (prctl PR_GET_SECCOMP).
int seccomp_mode();

// --- futex, shared between processes

// Returns 0, -EAGAIN when *word isn't expected any more, -EINTR, -ETIMEDOUT. timeout_ns < 0: none.
int futex_wait(const uint32_t* word, uint32_t expected, int64_t timeout_ns);
int futex_wake(const uint32_t* word, int count);
void yield();

// --- clocks, ns

uint64_t monotonic_ns();
uint64_t thread_cpu_ns();  // processor time of the calling thread
uint64_t realtime_ns();

}  // namespace mpol::sys

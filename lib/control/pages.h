// SPDX-License-Identifier: Apache-2.0
// Where the pages of another process lie, asked of the kernel page by page: move_pages(2) without
// target nodes moves nothing, and PAGEMAP_SCAN (Linux 6.7) tells huge pages apart. Both ask for
// what ptrace's read access asks for. Addresses need not be mapped: any the caller names are safe.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "control/attach.h"

namespace mpol::control {

inline constexpr uint64_t kPageBytes = 4096;
inline constexpr uint64_t kHugePageBytes = uint64_t{2} << 20;

// In place of a node: nothing resident there, or nothing but the shared page of zeros.
inline constexpr int kNoPage = -1;

class PageLookup {
  public:
    explicit PageLookup(pid_t pid);
    ~PageLookup();
    PageLookup(const PageLookup&) = delete;
    PageLookup& operator=(const PageLookup&) = delete;

    // The node of each page. One system call. Failure: EPERM refused (another user, or a seccomp
    // filter around the caller), ENOSYS no NUMA, ESRCH gone. Precondition: sizes are equal.
    [[nodiscard]] Result<void> nodes_of(std::span<const uint64_t> addresses,
                                        std::span<int> ret_nodes) const;

    // False before Linux 6.7: then mark_huge marks nothing.
    [[nodiscard]] bool tells_huge() const { return tells_huge_; }

    // For each page from start on, whether a transparent huge page holds it.
    void mark_huge(uint64_t start, std::span<bool> ret_huge) const;

    // AnonHugePages of every mapping, by its start: /proc/PID/smaps, for which the kernel walks the
    // whole address space. Empty: none, or it can't be read.
    [[nodiscard]] std::map<uint64_t, uint64_t> huge_bytes_by_mapping() const;

  private:
    pid_t pid_;
    int pagemap_fd_ = -1;
    bool tells_huge_ = false;
};

}  // namespace mpol::control

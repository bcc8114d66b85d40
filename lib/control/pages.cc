// SPDX-License-Identifier: Apache-2.0
#include "control/pages.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>

namespace mpol::control {
namespace {

// linux/fs.h of 6.7; spelled here because the headers of a build machine may be older.
struct ScanRange {
    uint64_t start;
    uint64_t end;
    uint64_t categories;
};
struct ScanArguments {
    uint64_t size;
    uint64_t flags;
    uint64_t start;
    uint64_t end;
    uint64_t walk_end;  // the kernel: where it stopped
    uint64_t ranges;
    uint64_t range_count;
    uint64_t max_pages;
    uint64_t category_inverted;
    uint64_t category_mask;
    uint64_t category_anyof_mask;
    uint64_t return_mask;
};
static_assert(sizeof(ScanArguments) == 96);
constexpr unsigned long kPagemapScan = _IOWR('f', 16, ScanArguments);
constexpr uint64_t kIsPresent = 1 << 3;
constexpr uint64_t kIsHuge = 1 << 6;
constexpr size_t kRangesMax = 64;

// Above twenty lines for each of vm.max_map_count's default of mappings, many times over.
constexpr unsigned kSmapsLinesMax = 100'000'000;

// Huge ranges of [at, end), as many as fit; at becomes where to go on. -1: the kernel refuses.
int scan(int fd, uint64_t& at, uint64_t end, std::span<ScanRange> ret_ranges) {
    ScanArguments arguments{};
    arguments.size = sizeof(arguments);
    arguments.start = at;
    arguments.end = end;
    arguments.ranges = reinterpret_cast<uint64_t>(ret_ranges.data());
    arguments.range_count = ret_ranges.size();
    arguments.category_mask = kIsPresent | kIsHuge;
    arguments.return_mask = kIsHuge;
    const int count = ::ioctl(fd, kPagemapScan, &arguments);
    // Without progress it would never end.
    at = count < 0 || arguments.walk_end <= at ? end : arguments.walk_end;
    return count;
}

}  // namespace

PageLookup::PageLookup(pid_t pid) : pid_(pid) {
    pagemap_fd_ = ::open(fmt::format("/proc/{}/pagemap", pid).c_str(), O_RDONLY | O_CLOEXEC);
    ScanRange none{};
    uint64_t at = 0;
    tells_huge_ = pagemap_fd_ >= 0 && scan(pagemap_fd_, at, kPageBytes, {&none, 1}) >= 0;
}

PageLookup::~PageLookup() {
    if (pagemap_fd_ >= 0) ::close(pagemap_fd_);
}

Result<void> PageLookup::nodes_of(std::span<const uint64_t> addresses,
                                  std::span<int> ret_nodes) const {
    if (::syscall(SYS_move_pages, pid_, addresses.size(), addresses.data(), nullptr,
                  ret_nodes.data(), 0) != 0) {
        const int err = errno;
        return tl::unexpected(
            fail(err, fmt::format("the kernel does not tell where the pages of process {} are: "
                                  "move_pages: {}",
                                  pid_, std::strerror(err))));
    }
    for (int& node : ret_nodes) node = std::max(node, kNoPage);  // -errno: none there
    return {};
}

void PageLookup::mark_huge(uint64_t start, std::span<bool> ret_huge) const {
    std::fill(ret_huge.begin(), ret_huge.end(), false);
    if (!tells_huge_) return;
    const uint64_t end = start + ret_huge.size() * kPageBytes;
    ScanRange ranges[kRangesMax];
    for (uint64_t at = start; at < end;) {
        const int count = scan(pagemap_fd_, at, end, ranges);
        for (int i = 0; i < count; ++i) {
            const uint64_t from = std::clamp(ranges[i].start, start, end);
            const uint64_t to = std::clamp(ranges[i].end, from, end);
            std::fill(ret_huge.begin() + static_cast<ptrdiff_t>((from - start) / kPageBytes),
                      ret_huge.begin() + static_cast<ptrdiff_t>((to - start) / kPageBytes), true);
        }
    }
}

std::map<uint64_t, uint64_t> PageLookup::huge_bytes_by_mapping() const {
    std::map<uint64_t, uint64_t> found;
    std::FILE* const file = std::fopen(fmt::format("/proc/{}/smaps", pid_).c_str(), "re");
    if (file == nullptr) return found;
    char* line = nullptr;
    size_t capacity = 0;
    uint64_t mapping = 0;
    for (unsigned i = 0; i<kSmapsLinesMax&& ::getline(&line, &capacity, file)> 0; ++i) {
        unsigned long start = 0;
        unsigned long end = 0;
        unsigned long kib = 0;
        if (std::sscanf(line, "%lx-%lx ", &start, &end) == 2) mapping = start;
        if (std::sscanf(line, "AnonHugePages: %lu kB", &kib) == 1 && kib != 0) {
            found[mapping] = uint64_t{kib} << 10;
        }
    }
    std::free(line);
    std::fclose(file);
    return found;
}

}  // namespace mpol::control

// SPDX-License-Identifier: Apache-2.0
#include "ground.h"

#include <fcntl.h>
#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>

#include "policy/format.h"
#include "subject.h"

namespace mpol::test {
namespace {

constexpr unsigned long kMaxNode = kMaxNodes + 1;

void* at(uint64_t address) {
    return reinterpret_cast<void*>(address);
}

bool map(uint64_t start, uint64_t size, int prot, int flags, int fd = -1) {
    return ::mmap(at(start), size, prot, flags | MAP_FIXED_NOREPLACE, fd, 0) == at(start);
}

bool map_private(uint64_t start, uint64_t size, int prot = PROT_READ | PROT_WRITE, int flags = 0) {
    return map(start, size, prot, MAP_PRIVATE | MAP_ANONYMOUS | flags);
}

// Pages on node 0, whatever the processor, and no policy left.
void fault_in(const Range& range) {
    const unsigned long node0 = 1;
    ::syscall(SYS_mbind, range.start, range.size, MPOL_BIND, &node0, 2UL, 0U);
    touch(at(range.start), range.size);
    ::syscall(SYS_mbind, range.start, range.size, MPOL_DEFAULT, nullptr, 0UL, 0U);
}

bool map_shared() {
    const int memfd = static_cast<int>(::syscall(SYS_memfd_create, "ground", MFD_CLOEXEC));
    const int file = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    const bool done = memfd >= 0 && file >= 0 &&
                      ::ftruncate(memfd, static_cast<off_t>(kMemfd.size)) == 0 &&
                      map(kMemfd.start, kMemfd.size, PROT_READ | PROT_WRITE, MAP_SHARED, memfd) &&
                      map(kAlias.start, kAlias.size, PROT_READ | PROT_WRITE, MAP_SHARED, memfd) &&
                      map(kFile.start, kFile.size, PROT_READ, MAP_SHARED, file);
    ::close(memfd);
    ::close(file);
    return done;
}

struct Writer {
    char* text;
    size_t size;
    size_t used = 0;

    [[gnu::format(printf, 2, 3)]] void add(const char* format, ...) {
        va_list arguments;
        va_start(arguments, format);
        const int more = std::vsnprintf(text + used, size - used, format, arguments);
        va_end(arguments);
        used += static_cast<size_t>(more);
        if (used >= size) used = size - 1;
    }

    void add_policy(void* address, unsigned long flags) {
        int mode = 0;
        NodeMask nodes;
        if (::syscall(SYS_get_mempolicy, &mode, nodes.words, kMaxNode, address, flags) != 0) {
            return add("-%d", errno);
        }
        char list[kPolicyTextBytesMax];
        format_nodes(nodes, list, sizeof(list));
        add("%#x:%s", static_cast<unsigned>(mode), list);
    }

    void add_pages(const Range& range) {
        void* pages[16];
        int status[16];
        const unsigned count = static_cast<unsigned>(range.size / kPage);
        for (unsigned i = 0; i < count; ++i) pages[i] = at(range.page(i));
        if (::syscall(SYS_move_pages, 0, count, pages, nullptr, status, 0) != 0) {
            return add("(%d)", errno);
        }
        bool any = false;
        for (unsigned i = 0; i < count; ++i) any |= status[i] >= 0;
        if (!any) return;
        add("/");
        for (unsigned i = 0; i < count; ++i) add("%c", status[i] < 0 ? '.' : '0' + status[i]);
    }
};

}  // namespace

bool prepare_ground() {
    for (const Range& range : kRanges) ::munmap(at(range.start), range.size);
    const bool mapped =
        map_private(kPlain.start, kPlain.size) && map_private(kHole.start, 4 * kPage) &&
        map_private(kHole.page(8), 4 * kPage) && map_private(kTail.start, 4 * kPage) &&
        map_private(kThere.start, kThere.size) &&
        map_private(kNoAccess.start, kNoAccess.size, PROT_NONE) &&
        map_private(kThree.start, kThree.size) &&
        ::mprotect(at(kThree.page(2)), 2 * kPage, PROT_READ) == 0 &&
        map_private(kStack.start, kStack.size, PROT_READ | PROT_WRITE, MAP_GROWSDOWN) &&
        map_shared();
    if (!mapped) return false;
    fault_in(kThere);
    fault_in(kMemfd);
    touch(at(kAlias.start), kAlias.size);
    return true;
}

size_t view_ground(char* text, size_t size) {
    Writer writer{text, size};
    writer.add("task ");
    writer.add_policy(nullptr, 0);
    for (const Range& range : kRanges) {
        writer.add(" %s ", range.name);
        writer.add_policy(at(range.start), MPOL_F_ADDR);
        writer.add_pages(range);
    }
    return writer.used;
}

size_t place_pages(char* text, size_t size) {
    ::munmap(at(kPlain.start), kPlain.size);
    if (!map_private(kPlain.start, kPlain.size)) return 0;
    touch(at(kPlain.start), kPlain.size);
    Writer writer{text, size};
    writer.add_pages(kPlain);
    return writer.used;
}

size_t list_nodes_of(void* start, size_t bytes, char* text, size_t size) {
    NodeMask nodes;
    for (size_t offset = 0; offset < bytes; offset += kPage) {
        void* page = static_cast<char*>(start) + offset;
        int status = -1;
        ::syscall(SYS_move_pages, 0, 1UL, &page, nullptr, &status, 0);
        if (status >= 0) nodes.set(static_cast<unsigned>(status));
    }
    return format_nodes(nodes, text, size);
}

}  // namespace mpol::test

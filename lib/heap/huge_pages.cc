// SPDX-License-Identifier: Apache-2.0
#include "heap/huge_pages.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "control/segment.h"
#include "heap/migrate_plan.h"
#include "sys/sys.h"

namespace mpol::heap {
namespace {

// Of the helper thread. The descriptor is in that thread's own table.
constinit int pagemap = -1;
constinit pid_t pagemap_owner = 0;
constinit bool any_huge_pages = true;

// Fewer could be gone by the time they are asked for.
constexpr unsigned long kSpareHugePages = 4;
constexpr unsigned kHugeOrder = kHugeShift - kPageShift;
constexpr size_t kTextBytes = size_t{8} << 10;  // A read of these files gives a page at most.
constinit char text[kTextBytes];

// The file as a string in text; false when it can't be read.
bool read_text(const char* path) {
    const ssize_t size = sys::read_file(path, text, sizeof(text) - 1);
    if (size <= 0) return false;
    text[size] = '\0';
    return true;
}

void open_pagemap() {
    if (pagemap >= 0 && pagemap_owner == sys::thread_id()) return;
    pagemap = -1;
    if (control::leave_descriptors() != 0) return;
    pagemap = sys::open_to_read("/proc/self/pagemap");
    pagemap_owner = sys::thread_id();
}

// "Node 0, zone   Normal  12  3 ... ": blocks of order 9 and more.
unsigned long free_huge_pages_of(const char* line) {
    const char* at = std::strstr(line, "zone");
    if (at == nullptr) return 0;
    at += std::strspn(at + 4, " ") + 4;
    at += std::strcspn(at, " \n");
    unsigned long sum = 0;
    for (unsigned order = 0;; ++order) {
        at += std::strspn(at, " ");
        if (*at < '0' || *at > '9') return sum;
        char* end = nullptr;
        const unsigned long blocks = std::strtoul(at, &end, 10);
        if (order >= kHugeOrder) sum += blocks << (order - kHugeOrder);
        at = end;
    }
}

// The number behind the label; 0: there is none.
unsigned long number_after(const char* label) {
    const char* const at = std::strstr(text, label);
    return at != nullptr ? std::strtoul(at + std::strlen(label), nullptr, 10) : 0;
}

// The kernel keeps min_free_kbytes in all of its zones together, out of reach of such an
// allocation; they can't be told apart here, so this node is taken to hold all of it.
bool is_above_the_watermark(int node) {
    char path[64];
    std::snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/meminfo", node);
    if (!read_text(path)) return true;
    const unsigned long free_kib = number_after("MemFree:");
    if (!read_text("/proc/sys/vm/min_free_kbytes")) return true;
    return free_kib >= std::strtoul(text, nullptr, 10) + kSpareHugePages * (kHugeBytes >> 10);
}

// Whether the node's lists hold blocks that need no compaction.
bool has_free_blocks(int node) {
    if (!read_text("/proc/buddyinfo")) return true;
    unsigned long blocks = 0;
    bool listed = false;  // One read of the file ends after a page: about ten nodes.
    for (const char* line = text; line != nullptr && *line != '\0';) {
        if (std::strncmp(line, "Node ", 5) == 0 && std::strtol(line + 5, nullptr, 10) == node) {
            blocks += free_huge_pages_of(line);
            listed = true;
        }
        line = std::strchr(line, '\n');
        if (line != nullptr) ++line;
    }
    return !listed || blocks >= kSpareHugePages;
}

}  // namespace

void look_for_huge_pages() {
    open_pagemap();
    any_huge_pages = true;
    const uintptr_t here = reinterpret_cast<uintptr_t>(text) & ~(kPageBytes - 1);
    if (pagemap >= 0 && sys::is_huge_page(pagemap, here, kPageBytes) >= 0) return;
    if (pagemap >= 0) sys::close(pagemap);
    pagemap = -1;
    if (!read_text("/proc/self/smaps_rollup")) return;
    any_huge_pages = number_after("\nAnonHugePages:") != 0;
}

Huge huge_page_at(uintptr_t chunk) {
    if (pagemap < 0) return any_huge_pages ? Huge::kUnknown : Huge::kNo;
    const int huge = sys::is_huge_page(pagemap, chunk, kHugeBytes);
    if (huge < 0) return Huge::kUnknown;
    return huge != 0 ? Huge::kYes : Huge::kNo;
}

bool has_free_huge_pages(int node) {
    return is_above_the_watermark(node) && has_free_blocks(node);
}

void forget_huge_pages() {
    pagemap = -1;
    pagemap_owner = 0;
}

}  // namespace mpol::heap

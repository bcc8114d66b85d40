// SPDX-License-Identifier: Apache-2.0
#include "heap/mappings.h"

#include <cerrno>
#include <cstring>

#include "sys/sys.h"

namespace mpol::heap {
namespace {

// Where no loop over small descriptor numbers comes by (control/segment.cc).
constexpr int kDescriptorFloor = 1000;
// Under apply_mutex. A line is at most two addresses, 60 bytes and a path.
constinit char buffer[16 << 10];

// "7f12ab-" and the like; stops behind the digits.
uintptr_t read_hex(const char*& at) {
    uintptr_t value = 0;
    for (;; ++at) {
        const char c = *at;
        if (c >= '0' && c <= '9') {
            value = value << 4 | static_cast<unsigned>(c - '0');
        } else if (c >= 'a' && c <= 'f') {
            value = value << 4 | static_cast<unsigned>(c - 'a' + 10);
        } else {
            return value;
        }
    }
}

const char* next_field(const char* at) {
    while (*at != ' ' && *at != '\0') ++at;
    while (*at == ' ') ++at;
    return at;
}

int open_maps() {
    const int fd = sys::open_to_read("/proc/self/maps");
    if (fd < 0) return fd;
    const int high = sys::duplicate_above(fd, kDescriptorFloor);
    if (high < 0) return fd;
    sys::close(fd);
    return high;
}

// Whole lines of buffer[0..size) to visit; what is left of the last one moves to the front.
int visit_lines(size_t& size, unsigned& count, VisitMapping* visit, void* context) {
    char* line = buffer;
    for (;;) {
        const auto left = static_cast<size_t>(buffer + size - line);
        auto* const end = static_cast<char*>(std::memchr(line, '\n', left));
        if (end == nullptr) break;
        *end = '\0';
        Mapping mapping;
        if (++count > kMappingsMax) return -E2BIG;
        if (!parse_mapping(line, mapping)) return -EIO;
        if (const int done = visit(mapping, context); done != 0) return done;
        line = end + 1;
    }
    size = static_cast<size_t>(buffer + size - line);
    std::memmove(buffer, line, size);
    return size < sizeof(buffer) ? 0 : -EIO;
}

}  // namespace

bool parse_mapping(const char* line, Mapping& ret_mapping) {
    const char* at = line;
    ret_mapping.start = read_hex(at);
    if (*at++ != '-') return false;
    ret_mapping.end = read_hex(at);
    if (*at != ' ' || ret_mapping.end <= ret_mapping.start) return false;
    const char* const permissions = next_field(at);
    if (std::strlen(permissions) < 4) return false;
    const char* const device = next_field(next_field(permissions));
    const char* const inode = next_field(device);
    const char* const name = next_field(inode);
    const bool unnamed = *name == '\0' || std::strncmp(name, "[anon:", 6) == 0;
    const bool of_file = std::strncmp(inode, "0 ", 2) != 0 && std::strcmp(inode, "0") != 0;
    ret_mapping.anonymous = permissions[3] == 'p' && !of_file && unnamed;
    ret_mapping.data = permissions[3] == 'p' && permissions[1] == 'w' && of_file;
    return true;
}

int walk_mappings(VisitMapping* visit, void* context) {
    const int fd = open_maps();
    if (fd < 0) return fd;
    size_t size = 0;
    unsigned count = 0;
    int result = 0;
    while (result == 0) {
        const ssize_t got = sys::read_some(fd, buffer + size, sizeof(buffer) - size);
        if (got == -EINTR) continue;
        if (got <= 0) {
            result = static_cast<int>(got);
            break;
        }
        size += static_cast<size_t>(got);
        result = visit_lines(size, count, visit, context);
    }
    sys::close(fd);
    return result;
}

}  // namespace mpol::heap

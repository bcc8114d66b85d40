// SPDX-License-Identifier: Apache-2.0
// The process's own mappings, as /proc/self/maps lists them (proc(5)), and which of them are the
// program's anonymous ones or a thread's stack.
//
// Never allocates; errno is preserved. One walk at a time: apply_mutex held.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mpol::heap {

// Bound of a walk: twice the kernel's default of vm.max_map_count.
inline constexpr unsigned kMappingsMax = 131'072;

struct Mapping {
    uintptr_t start = 0;
    uintptr_t end = 0;
    bool anonymous = false;  // private, of no file, and none of the kernel's own ("[heap]")
    bool data = false;       // private and writable, of a file: a program's or library's data
};

// Calls visit for each mapping in ascending order until it returns non-zero, which is returned.
// Also: -errno of reading, -E2BIG beyond kMappingsMax.
using VisitMapping = int(const Mapping& mapping, void* context);
int walk_mappings(VisitMapping* visit, void* context);

// One line of the file, without its newline. False: not such a line. Pure.
bool parse_mapping(const char* line, Mapping& ret_mapping);

}  // namespace mpol::heap

// SPDX-License-Identifier: Apache-2.0
// What the kernel is asked for where it has no such policy: weights of one's own, and weighted
// interleave on kernels older than 6.9.
//
// Never allocates, prints, exits or throws; never waits; errno is preserved. Runs inside jemalloc's
// locks.
#pragma once

#include <cstddef>
#include <cstdint>

#include "heap/scopes.h"
#include "policy/stretches.h"

namespace mpol::heap {

// Mappings that all stretches of the process together may take: half of vm.max_map_count as the
// kernel has it (65,530); the other half is the program's.
inline constexpr uint32_t kStretchMappingsMax = 32768;

// How a region is cut that begins heap_offset bytes into its scope's heap. Its stretches are taken
// out of the process's for good, whatever the region's policy, so that every rebinding finds the
// same layout; a region never has more than 1/64 of what is left.
[[nodiscard]] StretchLayout allot_layout(uint64_t heap_offset, size_t size);

// As the machine's huge pages have it, which is known from the first bind_stretches on; encode()
// makes it the word of the region's row (mpol_ctl_region.stretches).
[[nodiscard]] StretchLayout layout_in_force(StretchLayout allotted);

// The policy's mode word where this kernel has the mode; for weighted interleave elsewhere that of
// interleave, which is what the kernel's own table says where nobody has written to it.
[[nodiscard]] int kernel_mode_word(const Policy& policy);

// Binds the region [start, start + size) by the weights of the binding's policy. Where mappings
// have run out it is interleaved evenly and the error is recorded. Returns 0 or -errno.
int bind_stretches(uintptr_t start, size_t size, const StretchLayout& allotted,
                   const Binding& binding);

}  // namespace mpol::heap

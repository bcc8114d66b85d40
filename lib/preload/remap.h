// SPDX-License-Identifier: Apache-2.0
// mremap(2) of what a rewrite may have made several mappings. The kernel resizes one at a time, and
// moves several since 6.17 only; two that were bound as their neighbours on either side, and so
// were a part of these for a moment, stay two for good (mm/vma.c, is_mergeable_anon_vma).
#pragma once

#include <cstddef>

namespace mpol::preload {

constexpr size_t whole_pages(size_t size) {
    constexpr size_t kPage = 4096;
    return (size + kPage - 1) & ~(kPage - 1);
}

// As mremap(2), which has answered EFAULT: piece by piece, each as large as the kernel takes it.
// What is moved is mapped in its old place until all of it is in the new one: a call that fails
// leaves everything where it was, unless the kernel refuses the way back too. The address, or
// -errno; EFAULT: a part of the range is not mapped, or it was to shrink. Async-signal-safe; errno
// is preserved.
[[nodiscard]] long remap_pieces(char* from, size_t from_size, size_t size, int flags, void* to);

}  // namespace mpol::preload

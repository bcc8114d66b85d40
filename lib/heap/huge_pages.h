// SPDX-License-Identifier: Apache-2.0
// Huge pages under the heap, as a migration has to know them: it moves them whole, and the kernel
// would split one that it finds no room for (mm/migrate.c migrate_pages_batch, on -ENOMEM).
// For the helper thread only. Never allocates, prints or exits; errno is preserved.
#pragma once

#include <cstdint>

namespace mpol::heap {

enum class Huge : uint8_t { kNo, kYes, kUnknown };

// At the beginning of a migration: finds out how to tell. Linux 6.7 and later are asked page by
// page; before, the process either has no huge page at all or each place has to be tried.
void look_for_huge_pages();

// chunk: huge-page-aligned, and every base page in it is present on one node.
[[nodiscard]] Huge huge_page_at(uintptr_t chunk);

// Whether the node has huge pages to spare. True where the kernel doesn't tell.
[[nodiscard]] bool has_free_huge_pages(int node);

// In a forked child: the descriptor was the parent's helper's.
void forget_huge_pages();

}  // namespace mpol::heap

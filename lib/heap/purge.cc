// SPDX-License-Identifier: Apache-2.0
#include "heap/purge.h"

#include <iterator>

#include "heap/je.h"

namespace mpol::heap {

void purge_arena(unsigned arena) {
    size_t mib[3];
    size_t length = std::size(mib);
    if (je_mallctlnametomib("arena.0.purge", mib, &length) != 0) return;
    mib[1] = arena;
    je_mallctlbymib(mib, length, nullptr, nullptr, nullptr, 0);
}

void give_cache_back() {
    je_mallctl("thread.tcache.flush", nullptr, nullptr, nullptr, 0);
    if (!ask_for_purge()) purge_arena(kAllArenas);
}

}  // namespace mpol::heap

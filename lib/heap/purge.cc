// SPDX-License-Identifier: Apache-2.0
#include "heap/purge.h"

#include <iterator>

#include "heap/je.h"

namespace mpol::heap {

namespace {

struct PurgeName {
    size_t mib[3] = {};
    size_t length = std::size(mib);
    bool known = je_mallctlnametomib("arena.0.purge", mib, &length) == 0;
};

}  // namespace

void purge_arena(unsigned arena) {
    static const PurgeName name;  // Taking the text apart costs as much as a purge of nothing.
    if (!name.known) return;
    const size_t mib[3] = {name.mib[0], arena, name.mib[2]};
    je_mallctlbymib(mib, name.length, nullptr, nullptr, nullptr, 0);
}

void give_cache_back() {
    je_mallctl("thread.tcache.flush", nullptr, nullptr, nullptr, 0);
    if (!ask_for_purge()) purge_arena(kAllArenas);
}

}  // namespace mpol::heap

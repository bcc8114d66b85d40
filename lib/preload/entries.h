// SPDX-License-Identifier: Apache-2.0
// Where free and sized operator delete jump to: jemalloc itself while the process has one scope, the
// owner check afterwards. A jump through memory costs one instruction, and a flag three.
//
// The two words lie in .data.rel.ro, which the dynamic linker makes read-only before the program
// starts: they are no target for a stray or hostile write, except for the moment of the one change.
#pragma once

#include <cstddef>

namespace mpol::preload {

struct Entries {
    void (*free)(void*);
    void (*free_sized)(void*, size_t);
};
extern Entries entries [[gnu::visibility("hidden")]];

}  // namespace mpol::preload

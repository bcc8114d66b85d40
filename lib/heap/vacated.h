// SPDX-License-Identifier: Apache-2.0
// Arenas that their last thread has left. jemalloc gives all of such an arena's free pages back
// then, as nobody ticks its decay any more; where threads come and go, the next one faults the same
// pages again, which takes longer than all else that it does. Where little is free, the helper
// thread gives it back instead, a while later, if no thread has come meanwhile.
#pragma once

#include <cstdint>

namespace mpol::heap {

// What may stay free in an arena without threads until then.
inline constexpr uint64_t kVacatedBytesMax = uint64_t{1} << 20;

// Supplied by whoever links the heap: have purge_vacated called in a while, by another thread.
// False: there is none.
[[nodiscard]] bool ask_for_purge_of_vacated();

// Of those noted since the last call; not by several threads at once.
void purge_vacated();

}  // namespace mpol::heap

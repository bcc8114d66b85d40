// SPDX-License-Identifier: Apache-2.0
// Which ranges threads have mapped under mmap: policies of their own, and which thread each is of.
// The kernel keeps no such thing, and a program may unmap and map past us, so a row is a claim
// only: it counts while the kernel says that the range has a policy of the mode that it was given.
//
// Lock-free: rows are entered and left by whoever maps, also in signal handlers, while a rewrite
// looks at them. A range that finds no row is bound all the same, and the process's from then on.
// Never allocates; async-signal-safe; errno is preserved.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace mpol::heap {

// A thread that has placed something under a policy of its own, for as long as it lives; a forked
// child's only thread is who it was. 0: nobody.
using Placer = uint32_t;

// Rows; neighbours of the same thread and mode share one, as they share a mapping in the kernel.
inline constexpr unsigned kPlacedMax = 4096;

// A row was ever entered.
extern std::atomic<bool> placed_ever;

struct Placed {
    uintptr_t start = 0;  // page-aligned
    uintptr_t end = 0;
    Placer placer = 0;
    int mode_word = 0;
    bool settled = false;  // else its thread is still binding it
};

// The thread is about to bind the range. False: no row.
bool enter_placed(uintptr_t start, uintptr_t end, Placer placer);
// The thread has bound the range to a policy of that mode.
void settle_placed(uintptr_t start, uintptr_t end, Placer placer, int mode_word);
// A rewrite has bound all that the thread has placed.
void settle_all_placed(Placer placer, int mode_word);

// The lowest piece of [start, end) that some row holds; [end, end) when none does.
[[nodiscard]] Placed next_placed(uintptr_t start, uintptr_t end);

// Nobody's any more: the range, all of a thread's, all but a thread's.
void forget_placed(uintptr_t start, uintptr_t end);
void forget_placed_of(Placer placer);
void forget_placed_but_of(Placer placer);

}  // namespace mpol::heap

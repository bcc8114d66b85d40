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
    bool settled = false;     // else its thread is still binding it
    uint32_t generation = 0;  // of that policy, as far as it is kept
    unsigned row = 0;         // where that was found, and which of the row's entries it was
    uint32_t entry = 0;
};

// The thread is about to bind the range. False: no row.
bool enter_placed(uintptr_t start, uintptr_t end, Placer placer);
// The thread's policy has been bound to the range, and the kernel calls its mode so.
void settle_placed(uintptr_t start, uintptr_t end, Placer placer, int mode_word,
                   uint64_t generation);
// A rewrite has bound the row. False: it is not as it was looked up any more.
bool settle_anew(const Placed& placed, int mode_word, uint64_t generation);
// Placed under a later policy, within the last 16,383.
[[nodiscard]] bool is_newer(const Placed& placed, uint64_t generation);

// The lowest piece of [start, end) that some row holds; [end, end) when none does.
[[nodiscard]] Placed next_placed(uintptr_t start, uintptr_t end);

// All that the row holds.
[[nodiscard]] Placed whole_row(const Placed& placed);
// The piece gets a row of its own where it is a part of one. False: it is not as it was looked up any
// more, or no row is left.
[[nodiscard]] bool split_off(Placed& piece);
// Whose it is, from end to end, is as it was when that was looked up.
[[nodiscard]] bool is_as_it_was(const Placed& placed);

// Nobody's any more: the range; what is still as it was looked up; all of a thread's, or what it
// placed up to that policy; all but a forked child's thread's, whose generations begin anew.
void forget_placed(uintptr_t start, uintptr_t end);
void forget_placed(const Placed& placed);
void forget_placed_of(Placer placer);
void forget_placed_until(Placer placer, uint64_t generation);
void forget_placed_but_of(Placer placer);

}  // namespace mpol::heap

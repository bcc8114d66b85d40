// SPDX-License-Identifier: Apache-2.0
// Which memory of the process is a thread's stack, and which is mapped by the program itself; and a
// rewrite's way to what is there already. apply_mutex held.
#pragma once

#include "heap/kinds.h"

namespace mpol::heap {

// Binds all stacks but the main one, or all of the program's anonymous mappings. Where the policy
// is taken back, only what is still bound as before said goes back to the task policy. Returns 0,
// or the first error after trying all.
int bind_existing(Kind kind, const Binding& before, const Binding& binding);

// In a forked child: the other threads are gone.
void forget_marks();

// Binds what placer has placed as its own; where the kernel says that it is bound otherwise by now,
// it is something else and left alone. As above.
// What was placed under a policy later than that generation has it.
int bind_placed(Kind kind, Placer placer, const Binding& binding, uint64_t generation);
// It is nobody's own any more.
void disown_placed(Kind kind, Placer placer, uint64_t generation);

}  // namespace mpol::heap

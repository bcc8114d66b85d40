// SPDX-License-Identifier: Apache-2.0
// The system calls that the preloaded library makes, and how each may fail; and which of the faults
// MPOL_FAULTS asks for:
//
//     all                  every call of each kind
//     CALL:PLACE:ERRNO     this one alone, as a failure prints it: mbind:17:EPERM, the 17th mbind,
//     or
//                          mbind:17+:EPERM, that and all that follow
//     (not set)            a few of each kind
#pragma once

#include <string>
#include <vector>

#include "injector.h"
#include "wanted.h"

namespace mpol::test {

// Those that plain jemalloc never makes: whatever becomes of them, the program must not notice.
[[nodiscard]] const std::vector<Call>& calls_of_ours();
// Those that plain jemalloc, or the program itself, makes too.
[[nodiscard]] const std::vector<Call>& calls_of_any_allocator();

struct NamedFault {
    std::string call;
    unsigned place = 1;  // counted from 1
    bool onward = false;
    int err = 0;

    // As MPOL_FAULTS has it.
    [[nodiscard]] std::string words() const;
};
// Those that MPOL_FAULTS says.
[[nodiscard]] const Wanted<NamedFault>& wanted_faults();

}  // namespace mpol::test

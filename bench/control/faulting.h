// SPDX-License-Identifier: Apache-2.0
// The program whose policy is changed, in every way that there is to do so: it faults page after
// page and says when it met the first one that is under the new policy.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mpol::bench {

struct Shape {
    size_t reserved = 0;   // bytes of its heap that it never touches
    size_t filled = 0;     // bytes that it has touched
    unsigned threads = 0;  // that have allocated once and sleep
};

// What the page has to be; -1: anything.
struct Wanted {
    int32_t mode;
    int32_t node;
};

// Says 'r' when it stands. For each Wanted that it reads it says 'g', faults, and says the
// CLOCK_MONOTONIC nanoseconds at which it met such a page. Ends with its input.
int run_faulting(const Shape& shape);

}  // namespace mpol::bench

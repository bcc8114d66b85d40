// SPDX-License-Identifier: Apache-2.0
// The system calls that the preloaded library makes, and how each may fail.
#pragma once

#include <vector>

#include "injector.h"

namespace mpol::test {

// Those that plain jemalloc never makes: whatever becomes of them, the program must not notice.
[[nodiscard]] const std::vector<Call>& calls_of_ours();
// Those that plain jemalloc, or the program itself, makes too.
[[nodiscard]] const std::vector<Call>& calls_of_any_allocator();

}  // namespace mpol::test

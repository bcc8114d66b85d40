// SPDX-License-Identifier: Apache-2.0
// What a test says that depends on chance, so that its failure replays.
#pragma once

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>

namespace mpol::test {

// Which commit is tested, `-dirty` behind it where files differ from it.
[[gnu::visibility("default")]] const char* commit();

// MPOL_TEST_SEED, or another each time; of the whole program, and said once, with the commit.
inline uint64_t announced_seed() {
    static const uint64_t value = [] {
        const char* const given = std::getenv("MPOL_TEST_SEED");
        uint64_t seed = std::random_device{}();
        if (given != nullptr) {
            char* end = nullptr;
            errno = 0;
            seed = std::strtoull(given, &end, 0);
            if (errno != 0 || end == given || *end != '\0') {
                ADD_FAILURE() << "MPOL_TEST_SEED: a number is wanted, and not \"" << given << '"';
            }
        }
        std::cout << "MPOL_TEST_SEED=" << seed << " at commit " << commit() << std::endl;
        return seed;
    }();
    return value;
}

}  // namespace mpol::test

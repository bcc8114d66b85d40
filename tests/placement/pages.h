// SPDX-License-Identifier: Apache-2.0
// Where pages lie, as the kernel says (move_pages(2) without a target); and the fixture that skips
// where four memory nodes can't be had.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <iosfwd>
#include <map>

namespace mpol::test {

inline constexpr size_t kPage = 4096;
inline constexpr int kAbsent = -1;

// Pages per node.
struct Nodes : std::map<int, size_t> {
    using map::map;
};

class FourNodes : public ::testing::Test {
  protected:
    void SetUp() override;
};

// Node of each of the caller's pages, kAbsent where there is none. Never allocates.
void look_up(const char* start, size_t pages, int* ret_nodes);
[[nodiscard]] size_t total(const Nodes& nodes);

std::ostream& operator<<(std::ostream& out, const Nodes& nodes);

}  // namespace mpol::test

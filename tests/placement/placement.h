// SPDX-License-Identifier: Apache-2.0
// Where a workbench's pages lie, seen from inside it.
#pragma once

#include "pages.h"
#include "workbench.h"

namespace mpol::test {

inline constexpr size_t kLarge = size_t{16} << 20;  // always an extent of its own
inline constexpr size_t kSmallObjects = 50'000;     // of 64 bytes: about 800 pages

class Placed : public Workbench {
  public:
    // Transparent huge pages are off, so that a page is the unit of everything (with them it is
    // 2 MiB); huge_pages leaves them as they are.
    explicit Placed(Options options = {}, bool huge_pages = false);

    // Where the pages of a range lie; those not there yet are not counted.
    Nodes nodes(uint64_t address, size_t size);
    // Writes to every page that is not there yet, and says where those lie.
    Nodes fault(unsigned thread, uint64_t address, size_t size);
    Nodes fault_new(unsigned thread, size_t size);  // malloc, and fault
    // Writes to objects of 64 bytes, and says where the pages lie that came into being by that.
    Nodes fault_small(unsigned thread, size_t count);
    // The objects of allocate_many, each of that size: write to all their pages; where they lie.
    void touch_many(unsigned thread, size_t size);
    Nodes nodes_of_many(unsigned thread, size_t size);
    Nodes fault_mapped(unsigned thread, size_t size);  // mmap, and fault
    Nodes fault_stack(unsigned thread, size_t size);   // deeper than ever before
    // One node for each page, in the order of addresses.
    std::vector<int> order(uint64_t address, size_t size);
    void pin(unsigned thread, unsigned cpu);
    // The program's own calls; the errno.
    int own_set_mempolicy(unsigned thread, const Policy& policy);
    int own_mbind(uint64_t address, size_t size, const Policy& policy);
};

// Nodes of a policy's mask and no others.
[[nodiscard]] bool only_on(const Nodes& nodes, const NodeMask& mask);
// The kernel's rule: page number modulo the nodes, in ascending order.
void expect_interleaved(const std::vector<int>& order, uint64_t address, const NodeMask& mask);
// This test program, by a path that another program can execute.
[[nodiscard]] std::string own_program();
// False on kernels that don't know the mode.
[[nodiscard]] bool kernel_knows(Mode mode);

}  // namespace mpol::test

// SPDX-License-Identifier: Apache-2.0
// A workbench whose memory is moved while it runs: asks for migrations as mpol does, and knows
// whether its memory still holds what it wrote.
#pragma once

#include <functional>

#include "placement.h"

namespace mpol::test {

using control::MigrationPhase;
using control::MigrationRequest;
using control::MigrationState;

// What somebody who waits grants at a time; far above what a loaded machine keeps him away.
inline constexpr uint32_t kLeaseMs = 10'000;

class Migrating : public Placed {
  public:
    explicit Migrating(bool huge_pages = false);

    // Memory of that thread whose every page holds a pattern.
    uint64_t allocate_imprinted(unsigned thread, size_t size);
    // Pages that don't hold it.
    size_t mistakes(uint64_t address, size_t size);
};

// Asks; throws when refused. The helper runs once the target has seen a rewrite.
uint64_t start(control::Target& target, MigrationRequest request = {});
// Waits until it has ended or done() says enough, and renews its lease meanwhile.
MigrationState follow(control::Target& target, uint64_t generation,
                      const std::function<bool(const MigrationState&)>& done = {});
// Both, to the end.
MigrationState migrate(control::Target& target, MigrationRequest request = {});

// The number in a line of /proc/PID/smaps_rollup, in bytes.
[[nodiscard]] uint64_t rollup_bytes(pid_t pid, const std::string& name);
// "Huge" pages for everybody, or whatever else the machine takes; false: it may not be set.
[[nodiscard]] bool set_huge_pages(const std::string& enabled);

}  // namespace mpol::test

namespace mpol::control {
std::ostream& operator<<(std::ostream& out, const MigrationState& state);
}

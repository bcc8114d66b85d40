// SPDX-License-Identifier: Apache-2.0
// A workbench under the preloaded library, for tests of the public C++ headers. Those and mpol's
// own have classes of the same names, so no file includes both; this one includes neither.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace mpol::test {

class Workbench;

// Well above what a loaded machine needs for any single step.
inline constexpr std::chrono::seconds kWait{60};

class Preloaded {
  public:
    static constexpr unsigned kMain = 0;

    Preloaded();
    ~Preloaded();  // Kills it.

    [[nodiscard]] pid_t pid() const;
    unsigned start_thread();  // its number; the first one brings the helper
    [[nodiscard]] pid_t tid(unsigned thread);
    void call(unsigned thread = kMain);  // one malloc and free
    // The kernel's policy of memory that the thread has just got, as numa_maps prints it.
    [[nodiscard]] std::string policy_of_allocated(unsigned thread, size_t size);
    [[nodiscard]] std::string policy_of_mapped(unsigned thread, size_t size);
    int finish();  // the exit code

  private:
    std::unique_ptr<Workbench> bench_;
};

}  // namespace mpol::test

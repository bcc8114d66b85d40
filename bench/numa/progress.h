// SPDX-License-Identifier: Apache-2.0
// How far a run has come and how long it still takes, on a terminal; elsewhere nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mpol::bench {

class Progress {
  public:
    // total: steps, each of which takes at most step_ns.
    Progress(size_t total, uint64_t step_ns);
    ~Progress();
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    // A step begins.
    void step(std::string_view what);

  private:
    size_t total_;
    size_t begun_ = 0;
    uint64_t step_ns_;
    uint64_t begin_ns_;
    bool shown_;
};

}  // namespace mpol::bench

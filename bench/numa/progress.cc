// SPDX-License-Identifier: Apache-2.0
#include "numa/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "sys/sys.h"

namespace mpol::bench {

Progress::Progress(size_t total, uint64_t step_ns)
    : total_(total),
      step_ns_(step_ns),
      begin_ns_(sys::monotonic_ns()),
      shown_(::isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
    if (shown_ && begun_ != 0) fmt::print(stderr, "\r\033[K");
}

void Progress::step(std::string_view what) {
    const uint64_t passed = sys::monotonic_ns() - begin_ns_;
    // By what the steps before took; the first by what it may take.
    const uint64_t each = begun_ == 0 ? step_ns_ : passed / begun_;
    const uint64_t left_s = each * (total_ - begun_) / 1'000'000'000;
    ++begun_;
    if (!shown_) return;
    fmt::print(stderr, "\r\033[K[{}/{}] about {} s left: {}", begun_, total_, left_s, what);
    std::fflush(stderr);
}

}  // namespace mpol::bench

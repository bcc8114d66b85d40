// SPDX-License-Identifier: Apache-2.0
// How often a figure is measured: until its mean is known well enough, or the time is up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace mpol::bench {

// A mean and the half width of its 95 % confidence interval, by Student's t.
struct Estimate {
    double mean = 0;
    double half_width = 0;
    size_t count = 0;
    bool narrow = false;  // the interval came within what was wanted
};

// Precondition: samples is not empty.
[[nodiscard]] Estimate estimate(const std::vector<double>& samples);

struct Precision {
    double relative = 0.02;  // half width over mean
    size_t least = 4;        // repetitions
    size_t most = 60;
    uint64_t budget_ns = 500'000'000;  // no repetition begins after it, but for the first three
};

// The first is a warm-up and does not count.
[[nodiscard]] Estimate repeat(const Precision& precision, const std::function<double()>& measure);

}  // namespace mpol::bench

// SPDX-License-Identifier: Apache-2.0
#include "numa/statistics.h"

#include <array>
#include <cmath>
#include <numeric>

#include "sys/sys.h"

namespace mpol::bench {
namespace {

// Student's t at 97.5 %, by degrees of freedom from 1 on; beyond, the normal distribution's is
// within 3 %.
constexpr std::array kStudent = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306,
                                 2.262,  2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
                                 2.110,  2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064,
                                 2.060,  2.056, 2.052, 2.048, 2.045, 2.042};
constexpr double kNormal = 1.960;
constexpr size_t kFewest = 3;  // two say next to nothing of how they spread

double student(size_t degrees) {
    return degrees <= kStudent.size() ? kStudent[degrees - 1] : kNormal;
}

}  // namespace

Estimate estimate(const std::vector<double>& samples) {
    const auto count = static_cast<double>(samples.size());
    Estimate out;
    out.count = samples.size();
    out.mean = std::accumulate(samples.begin(), samples.end(), 0.0) / count;
    if (samples.size() < 2) return out;
    double squares = 0;
    for (double sample : samples) squares += (sample - out.mean) * (sample - out.mean);
    out.half_width = student(samples.size() - 1) * std::sqrt(squares / (count - 1) / count);
    return out;
}

Estimate repeat(const Precision& precision, const std::function<double()>& measure) {
    const uint64_t begin = sys::monotonic_ns();
    (void)measure();
    std::vector<double> samples;
    Estimate out;
    while (samples.size() < precision.most) {
        samples.push_back(measure());
        out = estimate(samples);
        out.narrow =
            samples.size() >= precision.least && out.half_width <= precision.relative * out.mean;
        const bool late = sys::monotonic_ns() - begin >= precision.budget_ns;
        if (out.narrow || (late && samples.size() >= kFewest)) break;
    }
    return out;
}

}  // namespace mpol::bench

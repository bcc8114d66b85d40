// SPDX-License-Identifier: Apache-2.0
#include "cli/sampling.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

namespace mpol::cli {

std::vector<uint64_t> plan_looks(std::span<const uint64_t> pages_of_region, bool all) {
    std::vector<uint64_t> looks(pages_of_region.begin(), pages_of_region.end());
    const uint64_t total = std::accumulate(looks.begin(), looks.end(), uint64_t{0});
    if (total <= (all ? kExactPagesAskedMax : kExactPagesMax)) return looks;
    const double share = static_cast<double>(kSampledPages) / static_cast<double>(total);
    for (uint64_t& pages : looks) {
        const auto proportional = static_cast<uint64_t>(static_cast<double>(pages) * share);
        pages = std::min(pages, std::max(proportional, kSampledPagesMin));
    }
    return looks;
}

std::vector<uint64_t> random_pages(uint64_t pages, uint64_t looks, uint64_t seed) {
    std::mt19937_64 random(seed);
    std::vector<uint64_t> chosen(looks);
    for (uint64_t i = 0; i < looks; ++i) {
        const uint64_t from = pages * i / looks;
        const uint64_t to = pages * (i + 1) / looks;
        chosen[i] = from + random() % (to - from);
    }
    return chosen;
}

double standard_error(uint64_t pages, uint64_t looks, uint64_t hits) {
    if (looks >= pages) return 0;
    // Agresti and Coull, The American Statistician 52 (1998): two hits and two misses more. That
    // the sample is stratified makes it better than this by what isn't known.
    const auto n = static_cast<double>(looks) + 4;
    const double share = (static_cast<double>(hits) + 2) / n;
    return static_cast<double>(pages) * std::sqrt(share * (1 - share) / n);
}

}  // namespace mpol::cli

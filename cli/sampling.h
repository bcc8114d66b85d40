// SPDX-License-Identifier: Apache-2.0
// Which pages to look at when there are too many, and how far an estimate from them may be off.
// Pure values.
//
// One page of each of many equal strata is looked at, at a random place in it: a fixed stride would
// meet the same node of an interleave again and again.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace mpol::cli {

// Up to here every page is looked at: 4 GiB, which takes the kernel 0.1 to 0.2 s.
inline constexpr uint64_t kExactPagesMax = uint64_t{1} << 20;
// Where every page is asked for, up to here: 8 TiB, minutes.
inline constexpr uint64_t kExactPagesAskedMax = uint64_t{1} << 31;
// Beyond: so many pages of all regions together, which bounds a share's standard error by 0.14 % of
// the whole, in less time than the exact count of 4 GiB takes.
inline constexpr uint64_t kSampledPages = uint64_t{1} << 17;
// But of each region at least so many (2 % of the region), or all that it has.
inline constexpr uint64_t kSampledPagesMin = 512;

// How many pages of each region to look at. A region whose share is all of its pages is counted.
// all: every page was asked for.
[[nodiscard]] std::vector<uint64_t> plan_looks(std::span<const uint64_t> pages_of_region, bool all);

// Page numbers below pages, ascending, one of each of looks strata; the same for the same seed.
// Preconditions: looks <= pages, pages * looks < 2^64.
[[nodiscard]] std::vector<uint64_t> random_pages(uint64_t pages, uint64_t looks, uint64_t seed);

// In pages: of the estimate pages * hits / looks. Never 0 for a sample: that none was hit doesn't
// say that there is none.
[[nodiscard]] double standard_error(uint64_t pages, uint64_t looks, uint64_t hits);

}  // namespace mpol::cli

// SPDX-License-Identifier: Apache-2.0
// What is done to memory to learn how fast it is.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace mpol::bench {

enum class Work { kLatency, kRead, kWrite, kCopy };
inline constexpr Work kBandwidths[] = {Work::kCopy, Work::kRead, Work::kWrite};
[[nodiscard]] std::string_view work_name(Work work);

// Makes the memory one cycle of cache lines in random order, for chase_ns. Other work destroys it.
void make_chase(std::span<uint64_t> words);
// Nanoseconds of one load that needs the result of the one before, by one thread on that processor.
[[nodiscard]] double chase_ns(std::span<uint64_t> words, unsigned cpu, size_t hops);

// GB (10^9 bytes) per second of one pass over the memory, by a thread pinned to each of the
// processors, all beginning at once; each has its part. A copy counts what it reads and what it
// writes, as STREAM does.
[[nodiscard]] double bandwidth_gb(Work work, std::span<uint64_t> words,
                                  const std::vector<unsigned>& cpus);

}  // namespace mpol::bench

// SPDX-License-Identifier: Apache-2.0
#include "cli/residency.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <optional>

#include "cli/sampling.h"
#include "cli/wanted.h"
#include "control/pages.h"

namespace mpol::cli {
namespace {

using control::kHugePageBytes;
using control::kNoPage;
using control::kPageBytes;

// Pages asked of the kernel at once: 64 KiB of addresses, and whole huge pages.
constexpr uint64_t kChunkPages = 8192;
constexpr uint64_t kHugePages = kHugePageBytes / kPageBytes;
static_assert(kChunkPages % kHugePages == 0);

// What is looked at of one region.
struct Tally {
    uint64_t pages = 0;
    uint64_t looked_at = 0;
    std::map<unsigned, uint64_t> on_node;
    uint64_t huge = 0;
    uint64_t misplaced = 0;
};

// What may be there: the last huge page reaches past what was carved.
uint64_t pages_of(const RegionView& region) {
    if (!region.plausible) return 0;
    return std::max(region.state.committed, region.state.carved) / kPageBytes;
}

class Counter {
  public:
    explicit Counter(const control::PageLookup& lookup) : lookup_(lookup) {
        if (!lookup.tells_huge()) huge_bytes_ = lookup.huge_bytes_by_mapping();
    }

    control::Result<Residency> run(const RegionView& region, const Wanted& wanted, uint64_t looks) {
        const control::RegionState& state = region.state;
        Tally tally;
        tally.pages = pages_of(region);
        const bool sampled = looks < tally.pages;
        const auto done =
            sampled ? sample(state, wanted, looks, tally) : count(state, wanted, tally);
        if (!done) return tl::unexpected(done.error());
        return residency(state, wanted, tally);
    }

  private:
    control::Result<void> count(const control::RegionState& state, const Wanted& wanted,
                                Tally& tally) {
        const uint64_t end = state.start + tally.pages * kPageBytes;
        constexpr uint64_t kChunkBytes = kChunkPages * kPageBytes;
        const bool guess = !lookup_.tells_huge() && huge_bytes_in(state) != 0;
        for (uint64_t at = state.start; at < end;) {
            const uint64_t next = std::min(end, (at / kChunkBytes + 1) * kChunkBytes);
            const uint64_t pages = (next - at) / kPageBytes;
            for (uint64_t i = 0; i < pages; ++i) addresses_[i] = at + i * kPageBytes;
            if (const auto asked = ask(pages); !asked) return asked;
            lookup_.mark_huge(at, {huge_.data(), pages});
            if (guess) guess_huge(pages);
            add(pages, wanted, tally);
            at = next;
        }
        return {};
    }

    control::Result<void> sample(const control::RegionState& state, const Wanted& wanted,
                                 uint64_t looks, Tally& tally) {
        const std::vector<uint64_t> chosen = random_pages(tally.pages, looks, state.start);
        for (uint64_t done = 0; done < looks;) {
            const uint64_t pages = std::min(looks - done, kChunkPages);
            for (uint64_t i = 0; i < pages; ++i) {
                addresses_[i] = state.start + chosen[done + i] * kPageBytes;
            }
            if (const auto asked = ask(pages); !asked) return asked;
            for (uint64_t i = 0; i < pages; ++i) {
                if (nodes_[i] != kNoPage) lookup_.mark_huge(addresses_[i], {&huge_[i], 1});
            }
            add(pages, wanted, tally);
            done += pages;
        }
        return {};
    }

    control::Result<void> ask(uint64_t pages) {
        return lookup_.nodes_of({addresses_.data(), pages}, {nodes_.data(), pages});
    }

    // Where the kernel doesn't tell: 2 MiB all on one node, in a region that has huge pages, is
    // one.
    void guess_huge(uint64_t pages) {
        for (uint64_t i = 0; i < pages; ++i) {
            if (addresses_[i] % kHugePageBytes != 0 || i + kHugePages > pages) continue;
            const bool one_node =
                nodes_[i] != kNoPage && std::all_of(&nodes_[i], &nodes_[i] + kHugePages,
                                                    [&](int node) { return node == nodes_[i]; });
            std::fill_n(&huge_[i], kHugePages, one_node);
        }
    }

    void add(uint64_t pages, const Wanted& wanted, Tally& tally) const {
        tally.looked_at += pages;
        for (uint64_t i = 0; i < pages; ++i) {
            if (nodes_[i] == kNoPage) continue;
            const auto node = static_cast<unsigned>(nodes_[i]);
            ++tally.on_node[node];
            tally.huge += huge_[i] ? 1 : 0;
            tally.misplaced += wanted.misplaced(addresses_[i], huge_[i], node) ? 1 : 0;
        }
    }

    uint64_t huge_bytes_in(const control::RegionState& state) const {
        uint64_t bytes = 0;
        for (auto at = huge_bytes_.lower_bound(state.start);
             at != huge_bytes_.end() && at->first - state.start < state.size; ++at) {
            bytes += at->second;
        }
        return bytes;
    }

    Residency residency(const control::RegionState& state, const Wanted& wanted,
                        const Tally& tally) const {
        Residency out;
        out.sampled = tally.looked_at < tally.pages;
        const auto estimate = [&](uint64_t hits) {
            if (!out.sampled) return hits * kPageBytes;
            const double error = standard_error(tally.pages, tally.looked_at, hits);
            out.standard_error_bytes =
                std::max(out.standard_error_bytes, error * static_cast<double>(kPageBytes));
            const double scale =
                static_cast<double>(tally.pages) / static_cast<double>(tally.looked_at);
            return static_cast<uint64_t>(std::llround(static_cast<double>(hits) * scale)) *
                   kPageBytes;
        };
        uint64_t hits = 0;
        for (const auto& [node, pages] : tally.on_node) {
            out.bytes_by_node[node] = estimate(pages);
            out.bytes += out.bytes_by_node[node];
            hits += pages;
        }
        (void)estimate(hits);  // Its error may be the largest.
        if (lookup_.tells_huge()) {
            out.huge_bytes = estimate(tally.huge);
        } else if (!out.sampled) {
            out.huge_bytes = huge_bytes_in(state);
        }
        const bool huge_matters = wanted.by_page() && out.sampled && !lookup_.tells_huge();
        if (wanted.known() && !huge_matters) out.misplaced_bytes = estimate(tally.misplaced);
        return out;
    }

    const control::PageLookup& lookup_;
    std::map<uint64_t, uint64_t> huge_bytes_;  // by mapping, where only smaps tells
    std::array<uint64_t, kChunkPages> addresses_{};
    std::array<int, kChunkPages> nodes_{};
    std::array<bool, kChunkPages> huge_{};
};

void add_up(const Residency& part, Residency& sum) {
    const auto add = [](std::optional<uint64_t>& to, const std::optional<uint64_t>& from) {
        to = to && from ? std::optional(*to + *from) : std::nullopt;
    };
    sum.bytes += part.bytes;
    for (const auto& [node, bytes] : part.bytes_by_node) sum.bytes_by_node[node] += bytes;
    add(sum.huge_bytes, part.huge_bytes);
    add(sum.misplaced_bytes, part.misplaced_bytes);
    sum.sampled |= part.sampled;
    sum.standard_error_bytes = std::hypot(sum.standard_error_bytes, part.standard_error_bytes);
}

Placing read_placing(const MapsView& view, const Machine& machine) {
    Placing placing;
    placing.index_mask = interleave_index_mask(machine);
    const bool weighted =
        std::any_of(view.regions.begin(), view.regions.end(), [](const RegionView& region) {
            return region.effective && region.effective->mode == Mode::kWeightedInterleave;
        });
    if (weighted) placing.weights = read_kernel_weights(machine);
    return placing;
}

}  // namespace

Result<void> count_residency(MapsView& view, pid_t task, const Machine& machine, bool all) {
    const Placing placing = read_placing(view, machine);
    const control::PageLookup lookup(task);
    Counter counter(lookup);
    std::vector<uint64_t> pages;
    for (const RegionView& region : view.regions) pages.push_back(pages_of(region));
    const std::vector<uint64_t> looks = plan_looks(pages, all);
    Residency sum;
    sum.huge_bytes = 0;
    sum.misplaced_bytes = 0;
    for (size_t i = 0; i < view.regions.size(); ++i) {
        RegionView& region = view.regions[i];
        if (!region.plausible) continue;
        const auto found = counter.run(region, Wanted(region, placing), looks[i]);
        if (!found && found.error().err == ESRCH) return failed(found.error());
        if (!found) {
            for (RegionView& each : view.regions) each.residency.reset();
            view.not_counted = found.error().what;
            return {};
        }
        region.residency = *found;
        add_up(*found, sum);
        view.pages += pages[i];
        view.pages_looked_at += looks[i];
    }
    view.residency = sum;
    return {};
}

}  // namespace mpol::cli

// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "fs/facts.h"
#include "policy/text.h"

namespace mpol::fs {
namespace {

const control::ThreadState* thread_of(const ProcessFacts& facts, uint32_t scope) {
    for (const control::ThreadState& thread : facts.threads) {
        if (thread.scope == scope) return &thread;
    }
    return nullptr;
}

std::string scope_name(const ProcessFacts& facts, uint32_t scope) {
    if (scope == 0) return "process";
    const control::ThreadState* const thread = thread_of(facts, scope);
    // Its thread has gone, and what it allocated has stayed.
    return thread == nullptr ? "ended" : fmt::format("thread:{}", thread->tid);
}

// What was asked for, for a region of which the kernel has no line of its own.
std::string asked_policy(const ProcessFacts& facts, uint32_t scope) {
    const control::ThreadState* const thread = scope == 0 ? nullptr : thread_of(facts, scope);
    if (thread != nullptr && thread->asked.set) {
        return effective_text(thread->asked.policy, facts.allowed);
    }
    if (facts.state.asked.set) return process_policy_text(facts.state, facts.allowed);
    return "default";
}

// True when the mapping that covers the region begins before it: the kernel merges neighbours that
// have the same policy, and counts their pages in one line.
bool merged_with(const RegionUse& before, const RegionUse& use) {
    return use.kernel_policy.empty() &&
           before.region.start + before.region.size == use.region.start;
}

void append_line(const ProcessFacts& facts, const RegionUse& use, bool merged, std::string& text) {
    const control::RegionState& region = use.region;
    auto out = std::back_inserter(text);
    fmt::format_to(
        out, "{:x} {} scope={} reserved={} carved={}", region.start,
        use.kernel_policy.empty() ? asked_policy(facts, region.scope) : use.kernel_policy,
        scope_name(facts, region.scope), region.size, region.carved);
    for (const auto& [node, pages] : use.pages) fmt::format_to(out, " N{}={}", node, pages);
    if (!use.pages.empty()) fmt::format_to(out, " kernelpagesize_kB={}", use.page_bytes / 1024);
    if (region.applied_errno != 0) fmt::format_to(out, " errno={}", region.applied_errno);
    text += merged ? " counted_above\n" : "\n";
}

}  // namespace

std::vector<RegionUse> region_uses(const std::vector<control::RegionState>& regions) {
    std::vector<RegionUse> uses;
    for (const control::RegionState& region : regions) uses.push_back({region, {}, {}, 0});
    std::sort(uses.begin(), uses.end(), [](const RegionUse& a, const RegionUse& b) {
        return a.region.start < b.region.start;
    });
    return uses;
}

void count_line(const control::NumaMapsLine& line, std::vector<RegionUse>& uses) {
    const auto after = std::upper_bound(
        uses.begin(), uses.end(), line.start,
        [](uint64_t start, const RegionUse& use) { return start < use.region.start; });
    if (after == uses.begin()) return;
    RegionUse& use = *std::prev(after);
    // Not start + size, which a damaged segment can make overflow.
    if (line.start - use.region.start >= use.region.size) return;
    if (use.kernel_policy.empty()) use.kernel_policy = line.policy;
    use.page_bytes = line.page_bytes;
    for (const auto& [node, pages] : line.pages) use.pages[node] += pages;
}

std::string numa_maps_text(const ProcessFacts& facts, const std::vector<RegionUse>& uses) {
    std::string text;
    for (size_t i = 0; i < uses.size(); ++i) {
        append_line(facts, uses[i], i > 0 && merged_with(uses[i - 1], uses[i]), text);
    }
    return text;
}

}  // namespace mpol::fs

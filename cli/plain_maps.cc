// SPDX-License-Identifier: Apache-2.0
// Regions for people: one table.
#include <algorithm>

#include "cli/plain.h"
#include "cli/words.h"
#include "policy/text.h"

namespace mpol::cli {
namespace {

using Row = std::vector<std::string>;

constexpr size_t kTextColumns = 4;  // aligned to the left; the figures after them to the right

std::string scope_words(const RegionView& region) {
    switch (region.scope) {
        case RegionView::Scope::kProcess:
            return "process";
        case RegionView::Scope::kThread:
            return fmt::format("thread {}", region.tid);
        case RegionView::Scope::kLarge:
            return region.tid != 0 ? fmt::format("thread {} large", region.tid) : "large";
        case RegionView::Scope::kWaiting:
            break;
    }
    return "waiting";
}

std::string asked_words(const RegionView& region) {
    if (region.scope == RegionView::Scope::kWaiting) return "-";
    return region.asked ? policy_text(*region.asked) : "default";
}

std::string effective_words(const RegionView& region) {
    std::string text = region.effective ? policy_text(*region.effective) : "default";
    if (!region.effective_whole) text += ",...";
    if (region.err != 0) return text + " (refused)";
    return region.applied ? text : text + " (pending)";
}

// Nodes that have pages of the process, or are meant to.
NodeMask nodes_shown(const MapsView& view) {
    NodeMask nodes;
    if (!view.residency) return nodes;
    for (const auto& [node, bytes] : view.residency->bytes_by_node) {
        if (node < kMaxNodes) nodes.set(node);
    }
    for (const RegionView& region : view.regions) {
        if (region.effective) nodes = nodes | region.effective->nodes;
    }
    return nodes;
}

std::string figure(const std::optional<uint64_t>& bytes) {
    return bytes ? bytes_words(*bytes) : "?";
}

void add_residency(Row& row, const std::optional<Residency>& residency, const NodeMask& nodes) {
    if (!residency) {
        row.resize(row.size() + 3 + nodes.weight(), "?");
        return;
    }
    row.push_back(bytes_words(residency->bytes));
    for (unsigned node = nodes.first(); node < kMaxNodes; node = nodes.next(node + 1)) {
        const auto at = residency->bytes_by_node.find(node);
        row.push_back(bytes_words(at == residency->bytes_by_node.end() ? 0 : at->second));
    }
    row.push_back(figure(residency->huge_bytes));
    row.push_back(figure(residency->misplaced_bytes));
}

Row header(const MapsView& view, const NodeMask& nodes) {
    Row row = {"START", "SCOPE", "ASKED", "EFFECTIVE", "RESERVED", "COMMITTED", "CARVED"};
    if (!view.residency) return row;
    row.emplace_back("RESIDENT");
    for (unsigned node = nodes.first(); node < kMaxNodes; node = nodes.next(node + 1)) {
        row.push_back(fmt::format("NODE {}", node));
    }
    row.emplace_back("HUGE");
    row.emplace_back("MISPLACED");
    return row;
}

Row region_row(const MapsView& view, const RegionView& region, const NodeMask& nodes) {
    const control::RegionState& state = region.state;
    Row row = {
        fmt::format("{:x}", state.start), scope_words(region),     asked_words(region),
        effective_words(region),          bytes_words(state.size), bytes_words(state.committed),
        bytes_words(state.carved)};
    if (view.residency) add_residency(row, region.residency, nodes);
    return row;
}

Row totals_row(const MapsView& view, const NodeMask& nodes) {
    Row row = {"total",
               "",
               "",
               "",
               bytes_words(view.reserved_bytes),
               bytes_words(view.committed_bytes),
               bytes_words(view.carved_bytes)};
    if (view.residency) add_residency(row, view.residency, nodes);
    return row;
}

void add_table(std::string& out, const std::vector<Row>& rows) {
    std::vector<size_t> widths(rows[0].size());
    for (const Row& row : rows) {
        for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    }
    for (const Row& row : rows) {
        for (size_t i = 0; i < row.size(); ++i) {
            if (i < kTextColumns) {
                add(out, "{:<{}}  ", row[i], widths[i]);
            } else {
                add(out, "{:>{}}{}", row[i], widths[i], i + 1 < row.size() ? "  " : "\n");
            }
        }
    }
}

void add_counting_notes(std::string& out, const MapsView& view) {
    if (!view.not_counted.empty()) {
        add(out, "note: resident pages are not counted: {}\n", view.not_counted);
    }
    if (!view.residency) return;
    if (view.residency->sampled) {
        add(out,
            "note: sampled: {} of {} pages were looked at, so figures of all regions have a "
            "standard "
            "error of up to {}; --exact looks at all\n",
            view.pages_looked_at, view.pages,
            bytes_words(static_cast<uint64_t>(view.residency->standard_error_bytes)));
    }
    if (!view.residency->huge_bytes) {
        add(out, "note: this kernel tells huge pages only of all pages: --exact\n");
    }
    const bool incomplete =
        std::any_of(view.regions.begin(), view.regions.end(),
                    [](const RegionView& region) { return !region.effective_whole; });
    if (incomplete)
        add(out, "note: some regions are bound to nodes or weights that can't be told\n");
}

}  // namespace

std::string render(const MapsView& view) {
    std::string out;
    add(out, "process {} ({}): {}\n", view.pid, printable(view.comm),
        count_words(view.regions.size(), "region"));
    const NodeMask nodes = nodes_shown(view);
    std::vector<Row> rows = {header(view, nodes)};
    for (const RegionView& region : view.regions) {
        if (region.plausible) rows.push_back(region_row(view, region, nodes));
    }
    rows.push_back(totals_row(view, nodes));
    add_table(out, rows);
    if (view.unmanaged_bytes != 0) {
        add(out, "note: outside the regions the heap has {} more\n",
            bytes_words(view.unmanaged_bytes));
    }
    add_counting_notes(out, view);
    for (const RegionView& region : view.regions) {
        if (region.plausible) continue;
        add(out, "note: implausible, and left out: a region of {} at {:x}, scope {}\n",
            bytes_words(region.state.size), region.state.start, region.state.scope);
    }
    return out;
}

}  // namespace mpol::cli

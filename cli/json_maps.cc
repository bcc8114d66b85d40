// SPDX-License-Identifier: Apache-2.0
// Regions for programs. All figures are in bytes.
#include "cli/json.h"

namespace mpol::cli {
namespace {

Json figure(const std::optional<uint64_t>& bytes) {
    return bytes ? Json(*bytes) : Json(nullptr);
}

// null throughout: not counted.
void add_residency(Json& out, const std::optional<Residency>& residency) {
    if (!residency) {
        for (const char* name : {"resident_bytes", "resident_by_node", "huge_bytes",
                                 "misplaced_bytes", "sampled", "standard_error_bytes"}) {
            out[name] = nullptr;
        }
        return;
    }
    Json nodes = Json::object();
    for (const auto& [node, bytes] : residency->bytes_by_node) nodes[std::to_string(node)] = bytes;
    out["resident_bytes"] = residency->bytes;
    out["resident_by_node"] = nodes;
    out["huge_bytes"] = figure(residency->huge_bytes);
    out["misplaced_bytes"] = figure(residency->misplaced_bytes);
    out["sampled"] = residency->sampled;
    out["standard_error_bytes"] = static_cast<uint64_t>(residency->standard_error_bytes);
}

Json region_json(const RegionView& region) {
    const control::RegionState& state = region.state;
    const bool thread = region.scope == RegionView::Scope::kThread;
    const bool large = region.scope == RegionView::Scope::kLarge;
    const bool waiting = region.scope == RegionView::Scope::kWaiting;
    Json out = {{"start", state.start},
                {"scope", thread    ? "thread"
                          : waiting ? "waiting"
                          : large   ? "large"
                                    : "process"},
                {"tid", region.tid != 0 ? Json(region.tid) : Json(nullptr)},
                {"asked", optional_policy(region.asked)},
                {"effective", optional_policy(region.effective)},
                {"effective_complete", region.effective_whole},
                {"applied", region.applied},
                {"errno", errno_json(region.err)},
                {"plausible", region.plausible},
                {"reserved_bytes", state.size},
                {"committed_bytes", state.committed},
                {"carved_bytes", state.carved}};
    add_residency(out, region.residency);
    return out;
}

}  // namespace

Json render_json(const MapsView& view) {
    Json regions = Json::array();
    for (const RegionView& region : view.regions) regions.push_back(region_json(region));
    Json totals = {{"reserved_bytes", view.reserved_bytes},
                   {"committed_bytes", view.committed_bytes},
                   {"carved_bytes", view.carved_bytes},
                   {"unmanaged_bytes", view.unmanaged_bytes}};
    add_residency(totals, view.residency);
    Json out = {{"pid", view.pid}, {"comm", view.comm}, {"regions", regions}, {"totals", totals}};
    out["pages"] = view.residency ? Json(view.pages) : Json(nullptr);
    out["pages_looked_at"] = view.residency ? Json(view.pages_looked_at) : Json(nullptr);
    out["not_counted"] = view.not_counted.empty() ? Json(nullptr) : Json(view.not_counted);
    return out;
}

}  // namespace mpol::cli

// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <nlohmann/json.hpp>

#include "numa/report.h"
#include "policy/text.h"

namespace mpol::bench {
namespace {

using Json = nlohmann::ordered_json;

// Five digits: the rest is noise, and the files are kept.
double rounded(double value) {
    if (value == 0 || !std::isfinite(value)) return 0;
    const double unit = std::pow(10, 4 - std::floor(std::log10(std::fabs(value))));
    return std::round(value * unit) / unit;
}

Json estimate_json(const Estimate& estimate) {
    return {{"mean", rounded(estimate.mean)},
            {"half_width", rounded(estimate.half_width)},
            {"count", estimate.count},
            {"narrow", estimate.narrow}};
}

Json placement_json(const std::vector<double>& placement) {
    Json out = Json::object();
    for (size_t node = 0; node < placement.size(); ++node) {
        if (placement[node] > 0) out[std::to_string(node)] = rounded(placement[node]);
    }
    return out;
}

Json machine_json(const Topology& topology) {
    Json nodes = Json::object();
    for (const auto& [node, bytes] : topology.memory_bytes) {
        const auto cpus = topology.cpus.find(node);
        nodes[std::to_string(node)] = {
            {"memory_bytes", bytes},
            {"cpus", cpus == topology.cpus.end() ? std::vector<unsigned>{} : cpus->second},
            {"distances", topology.distances.at(node)}};
    }
    return {{"host", topology.host},
            {"processor", topology.processor},
            {"kernel", topology.kernel},
            {"virtual", topology.is_virtual},
            {"huge_pages", topology.huge_pages},
            {"governor", topology.governor},
            {"last_level_cache_bytes", topology.last_level_cache_bytes},
            {"nodes", nodes},
            {"one_line", topology.one_line()}};
}

Json pairs_json(const std::vector<Pair>& pairs) {
    Json out = Json::array();
    for (const Pair& pair : pairs) {
        Json row = {{"cpu_node", pair.cpu_node},
                    {"memory_node", pair.memory_node},
                    {"huge_pages", pair.huge},
                    {"work", work_name(pair.work)},
                    {"unit", pair.work == Work::kLatency ? "ns" : "GB/s"}};
        row.update(estimate_json(pair.estimate));
        out.push_back(row);
    }
    return out;
}

Json policies_json(const std::vector<UnderPolicy>& policies) {
    Json out = Json::array();
    for (const UnderPolicy& each : policies) {
        Json row = {{"policy", each.policy},
                    {"huge_pages", each.huge},
                    {"work", work_name(each.work)},
                    {"unit", "GB/s"}};
        row.update(estimate_json(each.estimate));
        row["placement"] = placement_json(each.placement);
        out.push_back(row);
    }
    return out;
}

Json weights_json(const std::vector<UnderWeights>& weights) {
    Json out = Json::array();
    for (const UnderWeights& each : weights) {
        Json row = {{"nodes", {each.first, each.second}},
                    {"weights", {each.first_weight, each.second_weight}},
                    {"huge_pages", each.huge},
                    {"work", work_name(each.work)},
                    {"unit", "GB/s"}};
        row.update(estimate_json(each.estimate));
        row["placement"] = placement_json(each.placement);
        out.push_back(row);
    }
    return out;
}

Json timeline_json(const LiveTimeline& timeline) {
    Json changes = Json::array();
    for (size_t i = 0; i < timeline.changes.size(); ++i) {
        changes.push_back({{"seconds", rounded(timeline.changes[i].first)},
                           {"policy", timeline.changes[i].second},
                           {"latency_us", rounded(timeline.latency_us[i])}});
    }
    Json samples = Json::array();
    for (size_t i = 0; i < timeline.seconds.size(); ++i) {
        Json mib = Json::array();
        for (double each : timeline.mib[i]) mib.push_back(rounded(each));
        samples.push_back({{"seconds", rounded(timeline.seconds[i])}, {"mib", mib}});
    }
    return {{"nodes", timeline.nodes}, {"changes", changes}, {"samples", samples}};
}

Json sweep_json(const Report& report) {
    const Sweep& sweep = *report.sweep;
    Json policies = Json::array();
    for (const SweptPolicy& each : sweep.policies) {
        Json row = {{"policy", each.policy}};
        row.update(estimate_json(each.estimate));
        row.erase("narrow");
        row["samples"] = each.samples;
        policies.push_back(row);
    }
    return {{"command", report.command},
            {"unit", sweep.lower_is_better ? "s" : "1/s"},
            {"lower_is_better", sweep.lower_is_better},
            {"policies", policies},
            {"best", sweep.policies[sweep.best].policy},
            {"told_apart", sweep.told_apart}};
}

}  // namespace

nlohmann::ordered_json report_json(const Report& report) {
    Json out = {{"machine", machine_json(report.topology)}};
    if (report.measured) {
        out["buffer_bytes"] = report.effort.buffer_bytes;
        out["seconds"] = rounded(report.measured->seconds);
        out["pairs"] = pairs_json(report.measured->pairs);
        out["policies"] = policies_json(report.measured->policies);
        out["weights"] = weights_json(report.measured->weights);
    }
    if (report.timeline) out["timeline"] = timeline_json(*report.timeline);
    if (report.sweep) out["sweep"] = sweep_json(report);
    out["notes"] = report.notes;
    out["folder"] = report.folder;
    out["files"] = report.files;
    return out;
}

}  // namespace mpol::bench

// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "numa/report.h"
#include "picture/chart.h"

namespace mpol::bench {
namespace {

using picture::Caption;

constexpr bool kPageSizes[] = {false, true};

std::string_view pages_words(bool huge) {
    return huge ? "huge pages (2 MiB)" : "small pages (4 KiB)";
}

std::vector<std::string> node_names(const std::vector<unsigned>& nodes) {
    std::vector<std::string> out;
    for (unsigned node : nodes) out.push_back(fmt::format("node {}", node));
    return out;
}

template <class Get>
std::vector<unsigned> nodes_of(const std::vector<Pair>& pairs, Get get) {
    std::vector<unsigned> out;
    for (const Pair& pair : pairs) out.push_back(get(pair));
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return out;
}

// The node matrix, a panel for each kind of work and page size.
std::string heat_map(const Report& report, const Caption& caption, const std::vector<Work>& works) {
    const std::vector<Pair>& pairs = report.measured->pairs;
    const auto rows = nodes_of(pairs, [](const Pair& pair) { return pair.cpu_node; });
    const auto columns = nodes_of(pairs, [](const Pair& pair) { return pair.memory_node; });
    picture::HeatMap map{.caption = caption,
                         .row_title = "threads run on",
                         .column_title = "memory lies on",
                         .rows = node_names(rows),
                         .columns = node_names(columns),
                         .panels = {},
                         .lower_is_better = works[0] == Work::kLatency};
    for (bool huge : kPageSizes) {
        for (Work work : works) {
            picture::HeatPanel panel{fmt::format("{}, {}", work_name(work), pages_words(huge)), {}};
            panel.values.assign(rows.size(), std::vector<std::optional<double>>(columns.size()));
            for (const Pair& pair : pairs) {
                if (pair.huge != huge || pair.work != work) continue;
                const auto row = std::lower_bound(rows.begin(), rows.end(), pair.cpu_node);
                const auto column =
                    std::lower_bound(columns.begin(), columns.end(), pair.memory_node);
                panel.values[static_cast<size_t>(row - rows.begin())]
                            [static_cast<size_t>(column - columns.begin())] = pair.estimate.mean;
            }
            map.panels.push_back(std::move(panel));
        }
    }
    return picture::draw(map);
}

picture::Bar bar_of(const Estimate& estimate) {
    return {estimate.mean, estimate.mean - estimate.half_width,
            estimate.mean + estimate.half_width};
}

std::string policy_bars(const Report& report) {
    picture::BarChart chart;
    chart.caption = {
        "Memory bandwidth under each policy",
        "longer is better; all processors at once, small pages (4 KiB); the black lines "
        "are 95 % confidence intervals",
        report.topology.one_line()};
    chart.axis_title = "GB/s";
    for (Work work : kBandwidths) chart.names.emplace_back(work_name(work));
    for (const UnderPolicy& each : report.measured->policies) {
        if (each.huge) continue;
        if (chart.groups.empty() || chart.groups.back().name != each.policy) {
            chart.groups.push_back({each.policy, {}});
        }
        chart.groups.back().bars.push_back(bar_of(each.estimate));
    }
    return picture::draw(chart);
}

std::string weight_lines(const Report& report) {
    picture::LineChart chart;
    chart.caption = {
        "Memory bandwidth against weights",
        "higher is better; pages of two nodes shared out in proportion, all processors "
        "at once, huge pages",
        report.topology.one_line()};
    chart.x.title = "pages on the second of the two nodes, % (the others lie on the first)";
    chart.y.title = "GB/s";
    std::map<std::string, picture::Series> series;
    for (const UnderWeights& each : report.measured->weights) {
        if (!each.huge || each.work == Work::kWrite) continue;
        const std::string name =
            fmt::format("{}, nodes {} and {}", work_name(each.work), each.first, each.second);
        const double total = each.first_weight + each.second_weight;
        const picture::Bar bar = bar_of(each.estimate);
        series[name].name = name;
        series[name].samples.push_back(
            {100.0 * each.second_weight / total, bar.value, bar.low, bar.high});
    }
    for (auto& [name, each] : series) chart.series.push_back(std::move(each));
    return picture::draw(chart);
}

std::string rewrite_timeline(const Report& report) {
    const LiveTimeline& found = *report.timeline;
    picture::Timeline timeline;
    timeline.caption = {"A running program's pages, as its policy is rewritten",
                        "a program that drops and refills 1 MiB of its memory every 10 ms; dashed "
                        "lines are rewrites "
                        "from outside: from there on new pages follow",
                        report.topology.one_line()};
    timeline.x.title = "time since the program started, s";
    timeline.y.title = "private memory on each node, MiB";
    timeline.layers = node_names(found.nodes);
    timeline.times = found.seconds;
    timeline.amounts = found.mib;
    for (const auto& [when, name] : found.changes) timeline.moments.push_back({when, name});
    return picture::draw(timeline);
}

std::string sweep_bars(const Report& report) {
    const Sweep& sweep = *report.sweep;
    picture::BarChart chart;
    chart.caption = {
        fmt::format("'{}' under each policy", report.command[0]),
        fmt::format("{} is better; the black lines are 95 % confidence intervals; best: "
                    "{}{}",
                    sweep.lower_is_better ? "shorter" : "longer", sweep.policies[sweep.best].policy,
                    sweep.told_apart ? "" : ", but it isn't told apart from all others"),
        report.topology.one_line()};
    chart.axis_title =
        sweep.lower_is_better ? "seconds until it ends" : "growth of the metric per second";
    chart.names = {sweep.lower_is_better ? "run time" : "rate"};
    for (const SweptPolicy& each : sweep.policies) {
        chart.groups.push_back({each.policy, {bar_of(each.estimate)}});
    }
    return picture::draw(chart);
}

}  // namespace

std::map<std::string, std::string> pictures(const Report& report) {
    std::map<std::string, std::string> out;
    const std::string machine = report.topology.one_line();
    if (report.measured) {
        out["latency.svg"] = heat_map(report,
                                      {"Memory latency between nodes, in ns",
                                       "lower is better; one load after another", machine},
                                      {Work::kLatency});
        out["bandwidth.svg"] = heat_map(
            report,
            {"Memory bandwidth between nodes, in GB/s",
             "higher is better; all processors of a node at once; a copy counts reads and writes",
             machine},
            {std::begin(kBandwidths), std::end(kBandwidths)});
        out["policies.svg"] = policy_bars(report);
        if (!report.measured->weights.empty()) out["weights.svg"] = weight_lines(report);
    }
    if (report.timeline) out["timeline.svg"] = rewrite_timeline(report);
    if (report.sweep) out["sweep.svg"] = sweep_bars(report);
    return out;
}

}  // namespace mpol::bench

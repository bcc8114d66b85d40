// SPDX-License-Identifier: Apache-2.0
// What mpol bench found, for people: the figures in short, and which picture shows what.
#include "cli/plain.h"
#include "cli/words.h"

namespace mpol::cli {
namespace {

using bench::Estimate;
using bench::Report;
using bench::Work;

std::string with_spread(const Estimate& estimate) {
    return fmt::format("{:.1f} ± {:.1f}", estimate.mean, estimate.half_width);
}

void add_pairs(std::string& out, const Report& report) {
    add(out, "{:<10}{:<10}{:<8}{:>16}{:>18}{:>18}{:>18}\n", "CPU NODE", "MEMORY", "PAGES",
        "LATENCY ns", "COPY GB/s", "READ GB/s", "WRITE GB/s");
    const auto& pairs = report.measured->pairs;
    const auto find = [&](const bench::Pair& like, Work work) -> std::string {
        for (const bench::Pair& pair : pairs) {
            if (pair.cpu_node == like.cpu_node && pair.memory_node == like.memory_node &&
                pair.huge == like.huge && pair.work == work) {
                return with_spread(pair.estimate);
            }
        }
        return "-";
    };
    for (const bench::Pair& pair : pairs) {
        if (pair.work != Work::kLatency) continue;
        // ± is two bytes and one column.
        add(out, "{:<10}{:<10}{:<8}{:>17}{:>19}{:>19}{:>19}\n", pair.cpu_node, pair.memory_node,
            pair.huge ? "huge" : "small", with_spread(pair.estimate), find(pair, Work::kCopy),
            find(pair, Work::kRead), find(pair, Work::kWrite));
    }
}

void add_best_policy(std::string& out, const Report& report) {
    const bench::UnderPolicy* best = nullptr;
    for (const bench::UnderPolicy& each : report.measured->policies) {
        if (each.work != Work::kRead || each.huge) continue;
        if (best == nullptr || each.estimate.mean > best->estimate.mean) best = &each;
    }
    if (best == nullptr) return;
    add(out, "\nMost read bandwidth for all processors at once: {}, {} GB/s\n", best->policy,
        with_spread(best->estimate));
}

void add_sweep(std::string& out, const Report& report) {
    const bench::Sweep& sweep = *report.sweep;
    add(out, "{:<36}{:>22}\n", "POLICY", sweep.lower_is_better ? "SECONDS" : "PER SECOND");
    for (const bench::SweptPolicy& each : sweep.policies) {
        add(out, "{:<36}{:>23}\n", each.policy,
            fmt::format("{:.4g} ± {:.2g}", each.estimate.mean, each.estimate.half_width));
    }
    add(out, "\nBest: {}{}\n", sweep.policies[sweep.best].policy,
        sweep.told_apart ? ""
                         : ", but not told apart from all of the others: more --rounds may help");
}

std::string_view meaning_of(std::string_view file) {
    constexpr std::pair<std::string_view, std::string_view> kMeanings[] = {
        {"results.json", "all figures, and the machine's facts"},
        {"latency.svg", "latency of each pair of nodes"},
        {"bandwidth.svg", "bandwidth of each pair of nodes"},
        {"policies.svg", "bandwidth under each policy"},
        {"weights.svg", "bandwidth against weights"},
        {"timeline.svg", "where a program's pages go as its policy is rewritten"},
        {"sweep.svg", "the program under each policy"},
    };
    for (const auto& [name, meaning] : kMeanings) {
        if (name == file) return meaning;
    }
    return {};
}

}  // namespace

std::string render(const Report& report) {
    std::string out = printable(report.topology.one_line()) + "\n\n";
    if (report.measured) {
        add_pairs(out, report);
        add_best_policy(out, report);
    }
    if (report.sweep) add_sweep(out, report);
    out += "\n";
    for (const std::string& file : report.files) {
        add(out, "{}/{}: {}\n", printable(report.folder), file, meaning_of(file));
    }
    for (const std::string& note : report.notes) add(out, "note: {}\n", printable(note));
    return out;
}

}  // namespace mpol::cli

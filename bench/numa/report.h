// SPDX-License-Identifier: Apache-2.0
// All that a run of mpol bench found, as JSON for programs and as pictures for people.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "numa/live.h"
#include "numa/measure.h"
#include "numa/sweep.h"
#include "numa/topology.h"

namespace mpol::bench {

struct Report {
    Topology topology;
    Effort effort;
    std::optional<Measured> measured;
    std::optional<LiveTimeline> timeline;
    std::optional<Sweep> sweep;
    std::vector<std::string> command;  // that was swept
    std::vector<std::string> notes;    // what was left out, and why
    std::string folder;                // where it was written
    std::vector<std::string> files;    // in it
};

// Names are stable; new ones may be added. Bandwidths are in GB (10^9 bytes) per second, latencies
// in ns; "half_width" is of the mean's 95 % confidence interval.
[[nodiscard]] nlohmann::ordered_json report_json(const Report& report);

// File name: SVG. Only those that there are values for.
[[nodiscard]] std::map<std::string, std::string> pictures(const Report& report);

}  // namespace mpol::bench

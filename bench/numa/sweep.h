// SPDX-License-Identifier: Apache-2.0
// A program of the user's under one policy after the other, changed while it runs.
#pragma once

#include <string>
#include <vector>

#include "control/attach.h"
#include "numa/live.h"
#include "numa/statistics.h"

namespace mpol::bench {

struct SweepPlan {
    std::vector<std::string> command;
    std::string library;
    std::vector<Change> policies;
    // Prints a number that grows as the program works, run by sh with MPOL_PID set; then the
    // program is started once, and the number's growth per second is what counts. Empty: the
    // program is started for each policy, and the time until it ends counts.
    std::string metric;
    unsigned rounds = 3;
    uint64_t slot_ns = 0;     // of a policy in a round, with a metric
    uint64_t longest_ns = 0;  // that a run may take, without
};

struct SweptPolicy {
    std::string policy;
    std::vector<double> samples;  // of each round: seconds, or growth per second
    Estimate estimate;
};

struct Sweep {
    bool lower_is_better = true;  // seconds are; growth is not
    std::vector<SweptPolicy> policies;
    size_t best = 0;
    bool told_apart = false;  // the best one's interval meets no other's
    std::vector<std::string> notes;
};

// Failure: the program can't be run, fails, takes too long; the metric prints no number.
[[nodiscard]] control::Result<Sweep> sweep(const SweepPlan& plan);

}  // namespace mpol::bench

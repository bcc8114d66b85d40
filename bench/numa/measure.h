// SPDX-License-Identifier: Apache-2.0
// Latency and bandwidth of every pair of nodes, and bandwidth under every mode and under weights.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "control/attach.h"
#include "numa/statistics.h"
#include "numa/topology.h"
#include "numa/work.h"
#include "policy/policy.h"

namespace mpol::bench {

struct Effort {
    uint64_t budget_ns = 0;     // of all measurements together, about
    size_t buffer_bytes = 0;    // of each measurement
    unsigned weight_steps = 8;  // from all pages on one node to all on the other
    double relative = 0.02;     // of a mean: how narrow its confidence interval has to be
};

// One pair of nodes.
struct Pair {
    unsigned cpu_node = 0;
    unsigned memory_node = 0;
    bool huge = false;
    Work work = Work::kLatency;
    Estimate estimate;  // ns, or GB/s
};

// Memory under a policy, used by all processors.
struct UnderPolicy {
    std::string policy;
    bool huge = false;
    Work work = Work::kRead;
    Estimate estimate;              // GB/s
    std::vector<double> placement;  // part of the pages on each node, by node
};

// Pages of two nodes in proportion, used by all processors.
struct UnderWeights {
    unsigned first = 0, second = 0;  // nodes
    unsigned first_weight = 0, second_weight = 0;
    bool huge = false;
    Work work = Work::kRead;
    Estimate estimate;
    std::vector<double> placement;
};

struct Measured {
    std::vector<Pair> pairs;
    std::vector<UnderPolicy> policies;
    std::vector<UnderWeights> weights;
    std::vector<std::string> left_out;  // and why, a sentence each
    double seconds = 0;
};

// One of every mode that this kernel knows, over the nodes there are.
[[nodiscard]] std::vector<Policy> candidate_policies(const Topology& topology);

// Bytes that a buffer should have: well beyond the caches, and little of what is free.
[[nodiscard]] size_t buffer_bytes(const Topology& topology, size_t wanted);

// Shows its progress on a terminal. The calling thread's task policy is as before afterwards.
[[nodiscard]] Measured measure(const Topology& topology, const Effort& effort);

}  // namespace mpol::bench

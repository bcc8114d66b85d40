// SPDX-License-Identifier: Apache-2.0
// Node sets by what nodes are, not by their numbers: the nodes part of a policy in a rule. Pure.
//
//   set  = list [ "!" list ] | "!" list      the first list less the second; without a first: all
//   list = item { sep item }                 sep: a run of commas and blanks
//   item = number | a-b | a-b:used/group     as everywhere (policy/parse.h)
//        | all            nodes with memory that the process's cpuset allows
//        | cpu-nodes      nodes with memory and CPUs
//        | memory-only    nodes with memory and without CPUs
//        | near           nodes, with memory, of the CPUs that the process may run on
//        | dist<=N        nodes with memory no further than N from one of those CPUs' nodes
//        | tier:N         nodes of the Nth memory tier; 1 is the fastest
//        | same-as:PID    nodes that the policy of another process means
//
// "!2" is numactl's: all but 2. A set without any of the names above is left to the lenient parser
// (and may use its "+").
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "daemon/rules/topology.h"
#include "policy/parse.h"
#include "policy/word.h"

namespace mpol::rules {

enum class NodeName : uint8_t {
    kListed,  // numbers, ranges, all
    kCpuNodes,
    kMemoryOnly,
    kNear,
    kDistance,
    kTier,
    kSameAs,
};

struct NodeItem {
    NodeName name{};
    unsigned number = 0;  // of kDistance, kTier, kSameAs
    std::string text;
    size_t offset = 0;  // in the policy's text
};

struct NodeSet {
    std::vector<NodeItem> with;  // empty: all
    std::vector<NodeItem> without;
    std::string text;
    size_t offset = 0;
    bool symbolic = false;  // false: for the lenient parser as it is
};

// A list longer than that is a mistake.
inline constexpr size_t kNodeItemsMax = 256;

// word: the nodes part, with its offset in the policy.
[[nodiscard]] tl::expected<NodeSet, ParseError> parse_node_set(const Word& word);

// Never empty; otherwise the error says why, on this machine, nothing is left. Not cut down to the
// nodes that the target is allowed, but for "all".
[[nodiscard]] NodesResult evaluate(const NodeSet& set, const Topology& topology,
                                   const TargetNodes& target);

// What the lenient parser needs to know.
[[nodiscard]] ParseContext parse_context(const Topology& topology, const TargetNodes& target);

}  // namespace mpol::rules

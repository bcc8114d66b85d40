// SPDX-License-Identifier: Apache-2.0
// Node sets on a machine.
#include <fmt/format.h>

#include "daemon/rules/nodes.h"
#include "policy/text.h"

namespace mpol::rules {
namespace {

std::string names(const NodeMask& nodes) {
    return nodes.empty() ? "none" : nodes_text(nodes);
}

// Nodes with memory no further than limit from one of those in from.
NodeMask within(unsigned limit, const NodeMask& from, const Topology& topology) {
    NodeMask nodes;
    for (const auto& [near, row] : topology.distance) {
        if (!from.test(near)) continue;
        for (const auto& [node, distance] : row) {
            if (distance <= limit && topology.has_memory.test(node)) nodes.set(node);
        }
    }
    return nodes;
}

class Evaluator {
  public:
    Evaluator(const Topology& topology, const TargetNodes& target)
        : topology_(topology), target_(target) {}

    NodesResult list(const std::vector<NodeItem>& items) {
        NodeMask nodes;
        for (const NodeItem& item : items) {
            const NodesResult part = one(item);
            if (!part) return part;
            nodes = nodes | *part;
            if (part->empty()) why_empty_ += (why_empty_.empty() ? "" : "; ") + why_empty(item);
        }
        return nodes;
    }

    [[nodiscard]] const std::string& why_empty() const { return why_empty_; }

  private:
    NodesResult one(const NodeItem& item) const {
        const NodeMask& memory = topology_.has_memory;
        switch (item.name) {
            case NodeName::kListed:
                return parse_node_expression({item.text, item.offset},
                                             parse_context(topology_, target_), false);
            case NodeName::kCpuNodes:
                return memory & topology_.has_cpu;
            case NodeName::kMemoryOnly:
                return memory - topology_.has_cpu;
            case NodeName::kNear:
                return memory & target_.near;
            case NodeName::kDistance:
                return within(item.number, target_.near, topology_);
            case NodeName::kTier:
                if (item.number > topology_.tiers.size()) return NodeMask{};
                return memory & topology_.tiers[item.number - 1];
            case NodeName::kSameAs:
                break;
        }
        const auto found = target_.same_as.find(static_cast<pid_t>(item.number));
        return found == target_.same_as.end() ? NodeMask{} : found->second & memory;
    }

    [[nodiscard]] std::string why_empty(const NodeItem& item) const {
        switch (item.name) {
            case NodeName::kCpuNodes:
                return "no node has both CPUs and memory";
            case NodeName::kMemoryOnly:
                return "every node with memory has CPUs";
            case NodeName::kNear:
                return fmt::format("its CPUs' nodes ({}) have no memory", names(target_.near));
            case NodeName::kDistance:
                return fmt::format("no node with memory is within {} of its CPUs' nodes ({})",
                                   item.number, names(target_.near));
            case NodeName::kTier:
                if (topology_.tiers.empty()) return "this kernel tells of no memory tiers";
                return fmt::format("tier {} of {} has no memory", item.number,
                                   topology_.tiers.size());
            case NodeName::kSameAs:
                return fmt::format("process {} has no policy with nodes that can be read",
                                   item.number);
            case NodeName::kListed:
                break;
        }
        return "no node is usable";
    }

    const Topology& topology_;
    const TargetNodes& target_;
    std::string why_empty_;
};

}  // namespace

ParseContext parse_context(const Topology& topology, const TargetNodes& target) {
    ParseContext context;
    context.has_memory = topology.has_memory;
    context.allowed = target.allowed;
    context.online = topology.online;
    context.kernel = topology.kernel;
    context.auto_weights = topology.auto_weights;
    context.system_weights = topology.system_weights;
    return context;
}

// Precondition: set.symbolic.
NodesResult evaluate(const NodeSet& set, const Topology& topology, const TargetNodes& target) {
    const Word word{set.text, set.offset};
    const std::string there = "a set with a node of " + names(topology.has_memory);
    Evaluator evaluator(topology, target);
    const NodesResult with = set.with.empty() ? NodesResult(target.allowed & topology.has_memory)
                                              : evaluator.list(set.with);
    if (!with) return with;
    if (with->empty()) {
        const std::string why = set.with.empty() ? "no node is usable" : evaluator.why_empty();
        return fail(word, word.quoted() + " is no node here: " + why, there);
    }
    const NodesResult without = evaluator.list(set.without);
    if (!without) return without;
    const NodeMask nodes = *with - *without;
    if (!nodes.empty()) return nodes;
    return fail(word,
                fmt::format("{} leaves no node over: {} less {}", word.quoted(), names(*with),
                            names(*without)),
                there);
}

}  // namespace mpol::rules

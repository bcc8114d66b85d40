// SPDX-License-Identifier: Apache-2.0
#include "numa/measure.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "numa/buffer.h"
#include "numa/progress.h"
#include "policy/text.h"
#include "policy/weights.h"
#include "sys/sys.h"
#include "task/machine.h"

namespace mpol::bench {
namespace {

constexpr size_t kHops = 100'000;  // about 10 ms: far above the clock's resolution
constexpr bool kPageSizes[] = {false, true};
constexpr std::array kWorks = {Work::kCopy, Work::kRead, Work::kWrite, Work::kLatency};

std::vector<unsigned> list_of(const NodeMask& nodes) {
    std::vector<unsigned> out;
    for (unsigned node = nodes.first(); node < kMaxNodes; node = nodes.next(node + 1)) {
        out.push_back(node);
    }
    return out;
}

// What all pages of a policy's nodes can be under here.
struct Placed {
    std::string name;
    std::optional<Policy> policy;
    std::vector<Share> shares;  // where no policy of the kernel's does it
};

std::vector<Share> shares_of(const NodeMask& nodes, const KernelWeights& weights) {
    std::vector<Share> out;
    for (unsigned node : list_of(nodes)) out.push_back({node, weights.of[node]});
    return out;
}

std::vector<Placed> placed_of(const Topology& topology) {
    std::vector<Placed> out;
    for (const Policy& policy : candidate_policies(topology)) {
        out.push_back({policy_text(policy), policy, {}});
    }
    const WeightTable automatic = task::auto_weights();
    const NodeMask all = topology.memory_nodes;
    if (automatic.known && all.weight() > 1) {
        out.push_back({"weighted interleave;weights=auto", {}, shares_of(all, automatic.weights)});
    }
    return out;
}

class Run {
  public:
    Run(const Topology& topology, const Effort& effort)
        : topology_(topology),
          effort_(effort),
          placed_(placed_of(topology)),
          steps_(count_steps()),
          progress_(steps_, effort.budget_ns / steps_) {}

    Measured all() {
        for (bool huge : kPageSizes) {
            for (unsigned node : list_of(topology_.memory_nodes)) pairs(node, huge);
            for (const Placed& placed : placed_) policy(placed, huge);
            weights(huge);
        }
        out_.seconds = static_cast<double>(sys::monotonic_ns() - begin_) / 1e9;
        return std::move(out_);
    }

  private:
    [[nodiscard]] size_t count_steps() const {
        const size_t nodes = topology_.memory_nodes.weight();
        const size_t pairs = nodes * topology_.cpus.size() * kWorks.size();
        const size_t points = (nodes - 1) * (effort_.weight_steps + 1);
        return std::size(kPageSizes) * (pairs + (placed_.size() + points) * std::size(kBandwidths));
    }

    void leave_out(const std::string& what, const control::Failure& failure) {
        out_.left_out.push_back(fmt::format("{}: {}", what, failure.what));
    }

    // What is left of the time, shared out over what is left to measure.
    [[nodiscard]] Precision step(const std::string& what) {
        progress_.step(what);
        const uint64_t end = begin_ + effort_.budget_ns;
        const uint64_t now = sys::monotonic_ns();
        const size_t steps_left = steps_ - done_++;
        return {.relative = effort_.relative,
                .budget_ns = now < end ? (end - now) / steps_left : 0};
    }

    Estimate bandwidth(const Precision& precision, Work work, const Buffer& buffer,
                       const std::vector<unsigned>& cpus) {
        return repeat(precision, [&] { return bandwidth_gb(work, buffer.words(), cpus); });
    }

    void pairs(unsigned node, bool huge) {
        auto buffer = Buffer::make(effort_.buffer_bytes, huge, {{node, 1}});
        if (!buffer) return leave_out(fmt::format("node {}", node), buffer.error());
        for (Work work : kWorks) {
            if (work == Work::kLatency) make_chase(buffer->words());
            for (const auto& [cpu_node, cpus] : topology_.cpus) {
                const Precision precision =
                    step(fmt::format("{}, processors of node {}, memory of node {}",
                                     work_name(work), cpu_node, node));
                const Estimate found =
                    work == Work::kLatency
                        ? repeat(
                              precision,
                              [&, cpu = cpus[0]] { return chase_ns(buffer->words(), cpu, kHops); })
                        : bandwidth(precision, work, *buffer, cpus);
                out_.pairs.push_back({cpu_node, node, huge, work, found});
            }
        }
    }

    void policy(const Placed& placed, bool huge) {
        auto buffer = placed.policy ? Buffer::make(effort_.buffer_bytes, huge, *placed.policy)
                                    : Buffer::make(effort_.buffer_bytes, huge, placed.shares);
        if (!buffer) return leave_out(placed.name, buffer.error());
        for (Work work : kBandwidths) {
            const Precision precision =
                step(fmt::format("{} under {}", work_name(work), placed.name));
            out_.policies.push_back({placed.name, huge, work,
                                     bandwidth(precision, work, *buffer, topology_.all_cpus()),
                                     buffer->placement()});
        }
    }

    // The first node with each of the others.
    void weights(bool huge) {
        const std::vector<unsigned> nodes = list_of(topology_.memory_nodes);
        for (size_t other = 1; other < nodes.size(); ++other) {
            for (unsigned weight = 0; weight <= effort_.weight_steps; ++weight) {
                point({nodes[0], effort_.weight_steps - weight}, {nodes[other], weight}, huge);
            }
        }
    }

    void point(Share first, Share second, bool huge) {
        std::vector<Share> shares;
        for (const Share& share : {first, second}) {
            if (share.weight != 0) shares.push_back(share);
        }
        auto buffer = Buffer::make(effort_.buffer_bytes, huge, shares);
        if (!buffer) return leave_out("weights", buffer.error());
        for (Work work : kBandwidths) {
            const Precision precision =
                step(fmt::format("{}, weights {}:{} of nodes {} and {}", work_name(work),
                                 first.weight, second.weight, first.node, second.node));
            out_.weights.push_back({first.node, second.node, first.weight, second.weight, huge,
                                    work, bandwidth(precision, work, *buffer, topology_.all_cpus()),
                                    buffer->placement()});
        }
    }

    const Topology& topology_;
    const Effort& effort_;
    std::vector<Placed> placed_;
    size_t steps_;
    size_t done_ = 0;
    uint64_t begin_ = sys::monotonic_ns();
    Progress progress_;
    Measured out_;
};

}  // namespace

std::vector<Policy> candidate_policies(const Topology& topology) {
    std::vector<Policy> out;
    const auto add = [&](Mode mode, const NodeMask& nodes) {
        if (static_cast<unsigned>(mode) >= task::kernel_modes().mode_count) return;
        Policy policy;
        policy.mode = mode;
        policy.nodes = nodes;
        out.push_back(policy);
    };
    const NodeMask all = topology.memory_nodes;
    add(Mode::kLocal, {});
    for (unsigned node : list_of(all)) add(Mode::kBind, NodeMask::of(node));
    add(Mode::kPreferred, NodeMask::of(all.first()));
    add(Mode::kPreferredMany, all);
    if (all.weight() > 1) add(Mode::kBind, all);
    add(Mode::kInterleave, all);
    add(Mode::kWeightedInterleave, all);
    return out;
}

size_t buffer_bytes(const Topology& topology, size_t wanted) {
    constexpr size_t kOfFree = 4;
    size_t bytes = wanted;
    for (const auto& [node, free] : topology.free_bytes) {
        bytes = std::min<size_t>(bytes, free / kOfFree);
    }
    constexpr size_t kLeast = size_t{4} << 20;
    return std::max(bytes, kLeast);
}

Measured measure(const Topology& topology, const Effort& effort) {
    return Run(topology, effort).all();
}

}  // namespace mpol::bench

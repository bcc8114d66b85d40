// SPDX-License-Identifier: Apache-2.0
#include "cli/machine.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/utsname.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>

#include "cli/words.h"
#include "control/proc.h"
#include "policy/contextualise.h"
#include "policy/modes.h"
#include "policy/text.h"
#include "sys/sys.h"
#include "task/machine.h"

namespace mpol::cli {
namespace {

// A mask that any task may set the mode with; relative to its cpuset, node 0 always exists.
NodeMask probe_nodes(const Policy& policy) {
    if (policy.mode == Mode::kDefault || policy.mode == Mode::kLocal) return {};
    NodeMask allowed;
    if ((policy.flags & kRelativeNodes) != 0 || sys::get_mems_allowed(allowed) != 0) {
        return NodeMask::of(0);
    }
    return NodeMask::of(allowed.first());
}

// What the kernel says of a mode word: 0 or -errno.
int probe(const Policy& policy) {
    int saved_mode_word = 0;
    NodeMask saved_nodes;
    const int readable = sys::get_mempolicy(saved_mode_word, saved_nodes);
    if (readable != 0) return readable;
    const int err = sys::set_mempolicy(policy.mode_word(), probe_nodes(policy));
    if (err == 0) sys::set_mempolicy(saved_mode_word, saved_nodes);
    return err;
}

std::string flag_names(uint16_t flags) {
    std::string names;
    for (const FlagInfo& info : kFlags) {
        if ((flags & info.bit) == 0) continue;
        if (!names.empty()) names += " and ";
        names += info.kernel_name;
    }
    return names;
}

}  // namespace

Machine read_machine() {
    Machine machine;
    machine.has_memory = task::node_list("has_memory");
    machine.online = task::node_list("online");
    utsname names{};
    if (::uname(&names) == 0) machine.release = printable(names.release);
    return machine;
}

Result<Policy> read_policy(std::string_view text, const Machine& machine, const NodeMask& allowed,
                           bool allow_absent) {
    ParseContext context;
    context.has_memory = machine.has_memory;
    context.allowed = allowed;
    context.online = machine.online;
    context.allow_absent_nodes = allow_absent;
    task::add_weights(text, context);
    const ParseResult policy = parse_lenient(text, context);
    if (!policy && policy.error().not_here) {
        return failed(ENOTSUP, policy.error().problem, "name them: ;weights=5,3,2,1");
    }
    if (!policy) return unparsed(text, policy.error());
    const Result<void> supported = check_supported(*policy, machine);
    if (!supported) return tl::unexpected(supported.error());
    return *policy;
}

Result<void> check_supported(const Policy& policy, const Machine& machine) {
    const int err = probe(policy);
    // Other refusals (a seccomp filter around mpol itself) say nothing of the target's kernel.
    if (err == -ENOSYS) {
        return failed(ENOSYS,
                      fmt::format("this kernel ({}) has no NUMA memory policies", machine.release));
    }
    if (err != -EINVAL) return {};
    Policy bare = policy;
    if (policy.mode == Mode::kWeightedInterleave) {
        // The target makes it of the kernel's interleave.
        bare.mode = Mode::kInterleave;
        if (probe(bare) == 0) return {};
    }
    bare = policy;
    bare.flags = 0;
    if (policy.flags == 0 || probe(bare) == -EINVAL) {
        const ModeInfo& info = *mode_info(policy.mode);
        return failed(ENOTSUP, fmt::format("{} needs Linux {}; this is {}", info.kernel_name,
                                           info.since, machine.release));
    }
    return failed(ENOTSUP,
                  fmt::format("this kernel ({}) does not take the flag {} with {}", machine.release,
                              flag_names(policy.flags), mode_info(policy.mode)->kernel_name));
}

KernelWeights read_kernel_weights(const Machine& machine) {
    KernelWeights weights;
    const NodeMask& nodes = machine.has_memory;
    for (unsigned node = nodes.first(); node < kMaxNodes; node = nodes.next(node + 1)) {
        const auto text = control::read_small_file(
            AT_FDCWD, fmt::format("/sys/kernel/mm/mempolicy/weighted_interleave/node{}", node));
        unsigned weight = 0;
        if (text && std::sscanf(text->c_str(), "%u", &weight) == 1 && weight <= UINT8_MAX) {
            weights.of[node] = static_cast<uint8_t>(weight);
        }
    }
    return weights;
}

uint64_t interleave_index_mask(const Machine& machine) {
    unsigned major = 0;
    unsigned minor = 0;
    const bool told = std::sscanf(machine.release.c_str(), "%u.%u", &major, &minor) == 2;
    return told && (major < 6 || (major == 6 && minor < 7)) ? UINT32_MAX : UINT64_MAX;
}

Result<NodeMask> effective_nodes(const Policy& policy, const NodeMask& allowed,
                                 std::string_view whose) {
    NodeMask effective;
    if (contextualise(policy, allowed, effective) == 0) return effective;
    return failed(EINVAL, fmt::format("{} may use none of the nodes {}: its cpuset allows {}",
                                      whose, nodes_words(policy.nodes), nodes_words(allowed)));
}

}  // namespace mpol::cli

// SPDX-License-Identifier: Apache-2.0
#include "policy/contextualise.h"

#include <cerrno>

#include "policy/weights.h"

namespace mpol {
namespace {

// Precondition: allowed is not empty.
NodeMask relative_nodes(const NodeMask& user, const NodeMask& allowed) {
    return onto(fold(user, allowed.weight()), allowed);
}

bool takes_no_nodes(Mode mode) {
    return mode == Mode::kDefault || mode == Mode::kLocal;
}

}  // namespace

int sanitize_mode_word(int mode_word, const KernelModes& kernel) {
    const int flags = mode_word & kModeFlags;
    const auto mode = static_cast<unsigned>(mode_word & ~int{kModeFlags});
    if (mode >= kernel.mode_count || mode >= kModeCount) return -EINVAL;
    if ((flags & kStaticNodes) != 0 && (flags & kRelativeNodes) != 0) return -EINVAL;
    if ((flags & kNumaBalancing) == 0) return 0;
    switch (static_cast<Mode>(mode)) {
        case Mode::kBind:
            return 0;
        case Mode::kPreferredMany:
            return kernel.prefer_many_balancing ? 0 : -EINVAL;
        default:
            return -EINVAL;
    }
}

int make_policy(int mode_word, const NodeMask& nodes, const KernelModes& kernel,
                Policy& ret_policy) {
    if (const int error = sanitize_mode_word(mode_word, kernel); error != 0) return error;

    Policy policy;
    policy.flags = static_cast<uint16_t>(mode_word & kModeFlags);
    policy.mode = static_cast<Mode>(mode_word & ~int{kModeFlags});
    policy.nodes = nodes;
    if (policy.mode == Mode::kDefault) {
        if (!nodes.empty()) return -EINVAL;
        policy.flags = 0;
    } else if (policy.mode == Mode::kLocal || policy.mode == Mode::kPreferred) {
        if (nodes.empty()) {
            if (policy.flags != 0) return -EINVAL;
            policy.mode = Mode::kLocal;
        } else if (policy.mode == Mode::kLocal) {
            return -EINVAL;
        }
    } else if (nodes.empty()) {
        return -EINVAL;
    }
    ret_policy = policy;
    return 0;
}

int contextualise(const Policy& policy, const NodeMask& allowed, NodeMask& ret_effective) {
    if (takes_no_nodes(policy.mode)) {
        ret_effective = NodeMask{};
        return 0;
    }
    if (allowed.empty()) return -EINVAL;

    const bool relative = (policy.flags & kRelativeNodes) != 0;
    const NodeMask nodes =
        relative ? relative_nodes(policy.nodes, allowed) : policy.nodes & allowed;
    if (nodes.empty()) return -EINVAL;
    ret_effective = policy.mode == Mode::kPreferred ? NodeMask::of(nodes.first()) : nodes;
    return 0;
}

NodeMask rebind(const Policy& policy, const NodeMask& effective, const NodeMask& old_allowed,
                const NodeMask& new_allowed) {
    if (!follows_allowed_nodes(policy.mode) || new_allowed.empty()) return effective;
    if (policy.flags == 0 && old_allowed == new_allowed) return effective;

    NodeMask nodes;
    if ((policy.flags & kStaticNodes) != 0 || has_own_weights(policy)) {
        nodes = policy.nodes & new_allowed;
    } else if ((policy.flags & kRelativeNodes) != 0) {
        nodes = relative_nodes(policy.nodes, new_allowed);
    } else {
        nodes = remap(effective, old_allowed, new_allowed);
    }
    return nodes.empty() ? new_allowed : nodes;
}

}  // namespace mpol

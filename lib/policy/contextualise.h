// SPDX-License-Identifier: Apache-2.0
// Decides, as the kernel does, whether a policy is valid and which nodes it really means for a
// task with a given set of allowed nodes (linux mm/mempolicy.c: sanitize_mpol_flags, mpol_new,
// mpol_set_nodemask, mpol_rebind_policy).
// Pure values: no allocation, no system call, no exception; async-signal-safe, thread-safe; libc is
// not even needed. Errors are -errno.
#pragma once

#include "policy/policy.h"

namespace mpol {

// What differs between the kernels that may be below us.
struct KernelModes {
    unsigned mode_count = kModeCount;   // modes from here on are EINVAL (6 before Linux 6.9)
    bool prefer_many_balancing = true;  // false: BALANCING is EINVAL with PREFERRED_MANY (6.1)

    friend bool operator==(const KernelModes&, const KernelModes&) = default;
};

// True for the modes whose effective mask follows a change of the allowed nodes.
[[nodiscard]] constexpr bool follows_allowed_nodes(Mode mode) {
    return mode == Mode::kBind || mode == Mode::kInterleave || mode == Mode::kWeightedInterleave;
}

// True for the modes that set_mempolicy_home_node(2) takes.
[[nodiscard]] constexpr bool takes_home_node(Mode mode) {
    return mode == Mode::kBind || mode == Mode::kPreferredMany;
}

// The mode word of set_mempolicy(2) and mbind(2): 0 or -EINVAL.
[[nodiscard]] int sanitize_mode_word(int mode_word, const KernelModes& kernel);

// Builds the policy that the kernel would store: PREFERRED without nodes becomes LOCAL, DEFAULT
// loses its flags. nodes are kept as given (PREFERRED too). No home node. 0 or -EINVAL.
[[nodiscard]] int make_policy(int mode_word, const NodeMask& nodes, const KernelModes& kernel,
                              Policy& ret_policy);

// The effective mask of a policy that comes into force. allowed: the task's cpuset nodes that have
// memory. LOCAL and DEFAULT give the empty set; every other mode gives -EINVAL instead of it.
[[nodiscard]] int contextualise(const Policy& policy, const NodeMask& allowed,
                                NodeMask& ret_effective);

// The effective mask after the allowed nodes changed. Follows the kernel's code, not its
// documentation: an empty intersection means all new nodes, and the preferred modes never move.
// One deliberate difference: the kernel overwrites the stored user mask of preferred modes, and
// remaps BALANCING from the user mask at first; here the user mask is never written and the remap
// always starts from old_allowed. With weights of one's own nodes are static: a weight is its
// node's. An empty new_allowed, which cpusets rule out, changes nothing.
[[nodiscard]] NodeMask rebind(const Policy& policy, const NodeMask& effective,
                              const NodeMask& old_allowed, const NodeMask& new_allowed);

}  // namespace mpol

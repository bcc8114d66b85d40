// SPDX-License-Identifier: Apache-2.0
// What this machine and this kernel know: nodes from sysfs, modes by asking the kernel.
#pragma once

#include <string>
#include <string_view>

#include "cli/error.h"
#include "policy/parse.h"
#include "policy/placement.h"

namespace mpol::cli {

struct Machine {
    NodeMask has_memory;
    NodeMask online;
    std::string release;  // uname -r
};

// Node 0 alone where the kernel has no NUMA.
[[nodiscard]] Machine read_machine();

// The text as a policy, and that the running kernel knows its mode and flags: kUsage or
// kNotSupported. allowed: the target's cpuset nodes.
[[nodiscard]] Result<Policy> read_policy(std::string_view text, const Machine& machine,
                                         const NodeMask& allowed, bool allow_absent);

// The kernel's own answer. The calling thread's policy is put back.
[[nodiscard]] Result<void> check_supported(const Policy& policy, const Machine& machine);

// How a weighted interleave without weights of its own shares pages out, as sysfs tells now.
[[nodiscard]] KernelWeights read_kernel_weights(const Machine& machine);

// The bits of a page's number that an interleave divides: kernels before 6.7 keep 32 of them.
[[nodiscard]] uint64_t interleave_index_mask(const Machine& machine);

// What the policy means for somebody (named by whose, as in "process 4242") who may use allowed;
// kFailed when it means nothing.
[[nodiscard]] Result<NodeMask> effective_nodes(const Policy& policy, const NodeMask& allowed,
                                               std::string_view whose);

}  // namespace mpol::cli

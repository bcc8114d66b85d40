// SPDX-License-Identifier: Apache-2.0
// What this machine's kernel has: nodes with memory and the modes it knows.
#pragma once

#include "policy/contextualise.h"
#include "policy/nodemask.h"
#include "policy/parse.h"

namespace mpol::task {

// /sys/devices/system/node/NAME (has_memory, online, possible), read now. Where there is no sysfs:
// node 0.
[[nodiscard]] NodeMask node_list(const char* name);

// Asked of the kernel once, without a change to anything: mbind of no bytes checks the mode.
[[nodiscard]] const KernelModes& kernel_modes();

// What ;weights=auto takes: the rule of Linux 6.16 applied to the bandwidths in sysfs.
[[nodiscard]] WeightTable auto_weights();
// What ;weights=system takes: /sys/kernel/mm/mempolicy/weighted_interleave, which came with
// Linux 6.9.
[[nodiscard]] WeightTable system_weights();

// Both, where the text may ask for them.
void add_weights(std::string_view text, ParseContext& context);

}  // namespace mpol::task

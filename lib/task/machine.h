// SPDX-License-Identifier: Apache-2.0
// What this machine's kernel has: nodes with memory and the modes it knows.
#pragma once

#include "policy/contextualise.h"
#include "policy/nodemask.h"

namespace mpol::task {

// /sys/devices/system/node/NAME (has_memory, online, possible), read now. Where there is no sysfs:
// node 0.
[[nodiscard]] NodeMask node_list(const char* name);

// Asked of the kernel once, without a change to anything: mbind of no bytes checks the mode.
[[nodiscard]] const KernelModes& kernel_modes();

}  // namespace mpol::task

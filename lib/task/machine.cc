// SPDX-License-Identifier: Apache-2.0
#include "task/machine.h"

#include <fcntl.h>
#include <fmt/format.h>

#include "control/proc.h"
#include "policy/parse.h"
#include "sys/sys.h"

namespace mpol::task {

NodeMask node_list(const char* name) {
    const auto text =
        control::read_small_file(AT_FDCWD, fmt::format("/sys/devices/system/node/{}", name));
    if (!text) return NodeMask::of(0);
    return parse_kernel_list(*text, kMaxNodes).value_or(NodeMask::of(0));
}

const KernelModes& kernel_modes() {
    static const KernelModes modes = [] {
        const auto known = [](int mode_word) {
            return sys::mbind(nullptr, 0, mode_word, NodeMask::of(0), 0) != -EINVAL;
        };
        KernelModes found;
        while (found.mode_count > 1 && !known(static_cast<int>(found.mode_count) - 1)) {
            --found.mode_count;
        }
        found.prefer_many_balancing =
            known(static_cast<int>(Mode::kPreferredMany) | kNumaBalancing);
        return found;
    }();
    return modes;
}

}  // namespace mpol::task

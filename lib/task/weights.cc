// SPDX-License-Identifier: Apache-2.0
// Weights as the machine has them.
#include "policy/weights.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "control/proc.h"
#include "task/machine.h"

namespace mpol::task {
namespace {

std::optional<uint32_t> number_in(const std::string& path) {
    const auto text = control::read_small_file(AT_FDCWD, path);
    uint32_t value = 0;
    if (!text ||
        std::from_chars(text->data(), text->data() + text->size(), value).ec != std::errc{}) {
        return std::nullopt;
    }
    return value;
}

// Linux drivers/base/node.c node_set_perf_attrs() takes the bandwidths seen from the nearest
// processors, access class 1; older ones had class 0 only, seen from the nearest initiator of any
// kind.
uint32_t bandwidth_of(unsigned node) {
    for (const int access : {1, 0}) {
        const auto folder =
            fmt::format("/sys/devices/system/node/node{}/access{}/initiators/", node, access);
        const auto read = number_in(folder + "read_bandwidth");
        const auto write = number_in(folder + "write_bandwidth");
        if (read && write) return std::min(*read, *write);
    }
    return 0;
}

}  // namespace

WeightTable auto_weights() {
    WeightTable table;
    const NodeMask has_memory = node_list("has_memory");
    Bandwidths bandwidths;
    for (unsigned node = has_memory.first(); node < kMaxNodes; node = has_memory.next(node + 1)) {
        bandwidths.of[node] = bandwidth_of(node);
        table.known = table.known || bandwidths.of[node] != 0;
    }
    table.lacking =
        "this machine's firmware tells no bandwidths "
        "(/sys/devices/system/node/node*/access1/initiators/read_bandwidth)";
    table.weights = weights_of_bandwidths(has_memory, bandwidths);
    return table;
}

WeightTable system_weights() {
    WeightTable table;
    const NodeMask has_memory = node_list("has_memory");
    for (unsigned node = has_memory.first(); node < kMaxNodes; node = has_memory.next(node + 1)) {
        const auto weight =
            number_in(fmt::format("/sys/kernel/mm/mempolicy/weighted_interleave/node{}", node));
        if (!weight) continue;
        table.known = true;
        table.weights.of[node] = static_cast<uint8_t>(*weight);
    }
    table.lacking =
        "this kernel has no table of weights (/sys/kernel/mm/mempolicy/weighted_interleave), it "
        "came "
        "with Linux 6.9";
    return table;
}

void add_weights(std::string_view text, ParseContext& context) {
    if (text.find("weights=") == std::string_view::npos) return;
    context.auto_weights = auto_weights();
    context.system_weights = system_weights();
}

}  // namespace mpol::task

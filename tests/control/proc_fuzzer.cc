// SPDX-License-Identifier: Apache-2.0
// libFuzzer entry: texts as /proc/PID/stat, status and numa_maps have them, with names and values
// of a hostile program's choosing. Nothing crashes a parser, nothing is found that is not there,
// and every line of numa_maps that is understood keeps its numbers when it is written anew.
#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "control/numa_maps.h"
#include "control/proc_text.h"

namespace {

using namespace mpol::control;

void require(bool holds) {
    if (!holds) std::abort();
}

void fuzz_status(std::string_view text) {
    for (const char* name : {"NSpid", "Tgid", "Mems_allowed_list", "Seccomp", ""}) {
        const std::string_view value = status_field(text, name);
        if (value.empty()) continue;
        require(value.data() >= text.data() && value.end() <= text.end());
        require(value.find('\n') == std::string_view::npos);
    }
    const mpol::NodeMask nodes = parse_mems_allowed(text);
    require(status_field(text, "Mems_allowed_list").empty() ? nodes.empty() : true);
}

// The two files of one process, in one input.
void fuzz_task_ids(std::string_view text) {
    const size_t middle = text.find('\n');
    if (middle == std::string_view::npos) return;
    const std::string_view stat = text.substr(0, middle);
    const std::string_view status = text.substr(middle + 1);
    const auto ids = parse_task_ids(stat, status);
    if (!ids) return;
    // A name may hold what looks like fields; what counts is behind the last parenthesis.
    require(stat.find(fmt::format(" {}", ids->start_time), stat.rfind(')')) != stat.npos ||
            stat.find(" 0", stat.rfind(')')) != stat.npos);
    require(!status_field(status, "NSpid").empty());
}

void fuzz_numa_maps(std::string_view text) {
    const auto line = parse_numa_maps_line(text);
    if (!line) return;
    (void)parse_printed_policy(line->policy);
    std::string again = fmt::format("{:x} {}", line->start, line->policy);
    for (const auto& [node, pages] : line->pages) again += fmt::format(" N{}={}", node, pages);
    again += fmt::format(" kernelpagesize_kB={}", line->page_bytes / 1024);
    const auto second = parse_numa_maps_line(again);
    require(second && second->start == line->start && second->policy == line->policy);
    require(second->pages == line->pages && second->page_bytes == line->page_bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    fuzz_status(text);
    fuzz_task_ids(text);
    fuzz_numa_maps(text);
    return 0;
}

// SPDX-License-Identifier: Apache-2.0
// libFuzzer entry: texts as /proc/PID/cgroup has them, and cgroup paths, with names of a hostile
// user's choosing. Nothing crashes, nobody is led out of the cgroups' mount, and the preloaded
// library and the daemon find the same folder.
#include <climits>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "daemon/machine/cgroups.h"
#include "daemon/machine/uevents.h"
#include "daemon/rules/facts.h"
#include "preload/cgroup_text.h"

namespace {

using namespace mpol;

void require(bool holds) {
    if (!holds) std::abort();
}

void fuzz_folders(std::string_view text) {
    const std::string mount = preload::kCgroupMount;
    const std::string folder = daemon::cpuset_folder(text);
    require(folder.empty() || folder == mount || folder.starts_with(mount + "/"));
    require(folder.find("/..") == std::string::npos);
    // The library has the text as a string, and no path that is longer than the kernel's.
    if (text.find('\0') != std::string_view::npos || folder.size() >= PATH_MAX) return;
    std::string cut(text);
    char found[PATH_MAX];
    const bool any = preload::cpuset_directory(cut.data(), found, sizeof(found));
    require(any == !folder.empty() && (!any || folder == found));
}

void fuzz_units(std::string_view text) {
    const auto path = rules::unified_cgroup(text);
    require(!path || text.find("0::" + *path) != std::string_view::npos);
    for (const std::string_view one : {path ? std::string_view(*path) : text, text}) {
        const auto units = rules::units_of(one);
        require(units.size() <= 2);
        for (const std::string& unit : units) {
            require(!unit.empty() && one.find(unit) != std::string_view::npos);
            require(unit.find('/') == std::string::npos);
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    fuzz_folders(text);
    fuzz_units(text);
    (void)daemon::parse_uevent(text);
    return 0;
}

// SPDX-License-Identifier: Apache-2.0
// The text of /proc/self/cgroup, cgroups(7), without the file. Never allocates.
#pragma once

#include <cstddef>
#include <cstdio>
#include <cstring>

namespace mpol::preload {

inline constexpr const char* kCgroupMount = "/sys/fs/cgroup";

// Writes the directory of the cgroup that governs the cpuset: of the cpuset hierarchy where that is
// mounted by itself (v1), else of the unified one. False: there is none to see. The text is cut to
// pieces.
inline bool cpuset_directory(char* text, char* ret_path, size_t size) {
    constexpr char kController[] = ":cpuset:";  // The name of a cgroup may hold that, too.
    bool found = false;
    char* rest = nullptr;
    for (char* line = ::strtok_r(text, "\n", &rest); line != nullptr;
         line = ::strtok_r(nullptr, "\n", &rest)) {
        const char* const controller = std::strchr(line, ':');
        if (controller == nullptr) continue;
        const bool unified = std::strncmp(line, "0::", 3) == 0;
        const bool v1 = std::strncmp(controller, kController, sizeof(kController) - 1) == 0;
        if (!unified && !v1) continue;
        const char* const path = controller + (unified ? 2 : sizeof(kController) - 1);
        if (path[0] != '/' || std::strstr(path, "/..") != nullptr) continue;  // Of a namespace above.
        const int length = std::snprintf(ret_path, size, "%s%s%s", kCgroupMount,
                                         unified ? "" : "/cpuset", path[1] == '\0' ? "" : path);
        found = length > 0 && static_cast<size_t>(length) < size;
        if (v1) break;
    }
    return found;
}

}  // namespace mpol::preload

// SPDX-License-Identifier: Apache-2.0
#include "daemon/api/access.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace mpol::daemon {

std::optional<uid_t> owner_of(pid_t pid) {
    struct stat status {};
    if (::stat(fmt::format("/proc/{}", pid).c_str(), &status) != 0) return std::nullopt;
    return status.st_uid;
}

bool may_manage(const Caller& caller) {
    return may_reach(caller, ::geteuid());
}

bool may_reach(const Caller& caller, pid_t pid, uid_t owner_then) {
    if (caller.uid == 0) return true;
    return may_reach(caller, owner_then) && owner_of(pid) == caller.uid;
}

}  // namespace mpol::daemon

// SPDX-License-Identifier: Apache-2.0
#include "fs/act_as.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>

namespace mpol::fs {
namespace {

bool set_effective_uid(uid_t uid) {
    return ::syscall(SYS_setresuid, -1, uid, -1) == 0;
}
bool set_effective_gid(gid_t gid) {
    return ::syscall(SYS_setresgid, -1, gid, -1) == 0;
}

}  // namespace

ActAs::ActAs(const Caller& caller) {
    if (caller.uid == uid_t(-1) || caller.gid == gid_t(-1)) {
        // To the system calls -1 means "leave it as it is": root.
        ok_ = false;
        return;
    }
    if (caller.uid == 0 || ::geteuid() != 0) return;
    own_gid_ = ::getegid();
    changed_ = true;
    // The group first: a user may not change it any more.
    ok_ = set_effective_gid(caller.gid) && set_effective_uid(caller.uid);
}

ActAs::~ActAs() {
    if (!changed_) return;
    // Going on with the wrong ids would serve the next caller by them.
    if (!set_effective_uid(0) || !set_effective_gid(own_gid_)) std::abort();
}

}  // namespace mpol::fs

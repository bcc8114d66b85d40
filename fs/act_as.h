// SPDX-License-Identifier: Apache-2.0
// The calling thread's effective ids are the caller's while this lives, and its capabilities are
// gone: the kernel decides itself what the caller may open, in the same step in which it is opened.
// Only this thread changes: the raw system calls, not libc's, which change every thread.
#pragma once

#include "fs/access.h"

namespace mpol::fs {

class ActAs {
  public:
    // Changes nothing for root, and when the daemon isn't root: then the kernel decides by the
    // daemon's credentials, and only may_see() tells its user from others.
    explicit ActAs(const Caller& caller);
    ActAs(const ActAs&) = delete;
    ActAs& operator=(const ActAs&) = delete;
    ~ActAs();

    // False: the change was refused, and nothing may be done for the caller.
    [[nodiscard]] bool ok() const { return ok_; }

  private:
    gid_t own_gid_ = 0;
    bool changed_ = false;
    bool ok_ = true;
};

}  // namespace mpol::fs

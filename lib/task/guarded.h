// SPDX-License-Identifier: Apache-2.0
// The frame of every function of the C API: no C++ exception leaves, errno stays.
#pragma once

#include <cerrno>
#include <new>

#include "sys/sys.h"

namespace mpol::task {

// Running out of memory in body is -ENOMEM.
template <class Body>
int guarded(Body body) {
    const sys::ErrnoGuard guard;
    try {
        return body();
    } catch (const std::bad_alloc&) {
        return -ENOMEM;
    }
}

}  // namespace mpol::task

// SPDX-License-Identifier: Apache-2.0
// What the C API's mpol_target is.
#pragma once

#include <algorithm>
#include <cerrno>
#include <mutex>

#include "control/attach.h"
#include "mpol/mpol.h"
#include "sys/mutex.h"
#include "sys/sys.h"

struct mpol_target {
    mpol::control::Target target;
    bool writable;
    mpol::sys::Mutex writers;  // threads that write: the segment's lock is one for all of them
};

namespace mpol::task {

// Has one thread of this process at a time publish: by publish(target, timeout_ms), of what
// mpol_timeout_ms() leaves. Not while waiting for what was published.
template <class Publish>
control::Result<uint64_t> in_turn(mpol_target& handle, Publish publish) {
    const int timeout_ms = mpol_timeout_ms();
    const uint64_t begin = sys::monotonic_ns();
    if (!handle.writers.lock_for(int64_t{timeout_ms} * 1'000'000)) {
        return tl::unexpected(control::fail(EBUSY, "another thread writes through this target"));
    }
    const std::unique_lock turn(handle.writers, std::adopt_lock);
    const auto waited_ms = static_cast<int64_t>((sys::monotonic_ns() - begin) / 1'000'000);
    return publish(handle.target, static_cast<int>(std::max(timeout_ms - waited_ms, int64_t{0})));
}

}  // namespace mpol::task

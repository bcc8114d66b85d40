// SPDX-License-Identifier: Apache-2.0
// Fail points: numbered places where a test makes a process die, stop, or a call fail. They exist
// in the test builds of the libraries only (MPOL_FAIL_POINTS); elsewhere each is the constant 0,
// and not an instruction is left of it. The one list of them is fail_points.def.
//
// A test shares a FailBoard with a process by MPOL_FAIL_BOARD, the path of a file that holds one. A
// child of fork shares it too.
//
// fail_point: any thread; async-signal-safe; never allocates; errno is preserved.
#pragma once

#include <atomic>
#include <cerrno>
#include <cstdint>

namespace mpol::sys {

enum class FailPoint : uint32_t {
#define MPOL_FAIL_POINT(name, ...) name,
#include "sys/fail_points.def"
#undef MPOL_FAIL_POINT
    kCount
};
inline constexpr uint32_t kFailPoints = static_cast<uint32_t>(FailPoint::kCount);

// What happens at a point; below kDie: the call fails with this errno.
inline constexpr uint32_t kDie = 1000;   // SIGKILL
inline constexpr uint32_t kStop = 1001;  // SIGSTOP, until somebody continues it

// Written by the test but for hits, left and struck.
struct FailBoard {
    std::atomic<uint32_t> point;  // where; kFailPoints: nowhere
    std::atomic<uint32_t> left;   // times that it is passed, this one included; 0: it has struck
    std::atomic<uint32_t> deed;
    std::atomic<uint32_t> struck;             // pid of whom it struck; 0: nobody yet
    std::atomic<uint32_t> hits[kFailPoints];  // of all processes
};

#ifdef MPOL_FAIL_POINTS
inline namespace with_fail_points {
// 0, or -errno when the call that follows is to fail.
int fail_point(FailPoint point);
}  // namespace with_fail_points
#else
inline namespace without_fail_points {
constexpr int fail_point(FailPoint) {
    return 0;
}
}  // namespace without_fail_points
#endif

// What the call returns (>= 0, or -errno), or the -errno in its place.
template <class Call>
[[gnu::always_inline]] inline auto fallible(FailPoint point, Call call) -> decltype(call()) {
    if (const int err = fail_point(point); err != 0) return err;
    return call();
}

// The same of the C library's calls: -1, and errno.
template <class Call>
[[gnu::always_inline]] inline auto fallible_libc(FailPoint point, Call call) -> decltype(call()) {
    if (const int err = fail_point(point); err != 0) {
        errno = -err;
        return -1;
    }
    return call();
}

}  // namespace mpol::sys

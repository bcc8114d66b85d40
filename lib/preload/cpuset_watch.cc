// SPDX-License-Identifier: Apache-2.0
// Notices that the process's cpuset has changed, without polling: the kernel rebinds the policies
// of mappings that exist and tells nobody, but whoever changes a cgroup v2 (or v1) cpuset writes a
// file, and a write wakes an inotify watch on the file's directory. Watched are the process's
// cgroup and all above it. A move into a cgroup elsewhere is noticed at the next event, rewrite or
// new region.
//
// The thread has a descriptor table of its own (close_range with CLOSE_RANGE_UNSHARE), so that no
// program ever meets, closes or reuses the inotify descriptor, and none is inherited by fork.
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "control/segment.h"
#include "heap/apply.h"
#include "heap/task.h"
#include "preload/cgroup_text.h"
#include "preload/process.h"
#include "sys/sys.h"

namespace mpol::preload {

using control::local;

namespace {

enum class State : uint8_t { kNone, kRunning, kLeaving };
constinit std::atomic<State> state{State::kNone};

// The file whose opening wakes the thread when it has to leave. Written by the thread.
constinit char wake_path[PATH_MAX];
constinit std::atomic<bool> wake_path_set{false};

// Which step failed, as the error log tells.
enum Step : uint64_t { kOwnDescriptors = 1, kInotify, kWatches };

// Writes the directory of the process's cgroup that governs its cpuset. False: there is none to
// see.
bool find_cgroup(char* ret_path, size_t size) {
    static char text[16 << 10];
    const ssize_t got = sys::read_file("/proc/self/cgroup", text, sizeof(text) - 1);
    if (got <= 0) return false;
    text[got] = '\0';
    return cpuset_directory(text, ret_path, size);
}

bool watch_up(int inotify, char* path) {
    bool any = false;
    for (;;) {
        any |= ::inotify_add_watch(inotify, path,
                                   IN_MODIFY | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR) >= 0;
        char* const slash = std::strrchr(path, '/');
        if (slash == nullptr || slash - path < static_cast<long>(std::strlen(kCgroupMount)))
            return any;
        *slash = '\0';
    }
}

// Watches the cgroup that the process is in now. Returns an inotify descriptor, -1: nothing to
// watch.
int watch_current(char* ret_path, size_t size) {
    if (!find_cgroup(ret_path, size)) return -1;
    const int inotify = ::inotify_init1(IN_CLOEXEC);
    if (inotify < 0) {
        control::record_error(MPOL_CTL_ERROR_WATCH, errno, kInotify);
        return -1;
    }
    wake_path_set.store(false, std::memory_order_release);
    std::snprintf(wake_path, sizeof(wake_path), "%.*s/cgroup.procs", PATH_MAX - 32, ret_path);
    ::inotify_add_watch(inotify, wake_path, IN_OPEN);
    wake_path_set.store(true, std::memory_order_release);
    char climbing[PATH_MAX];
    std::snprintf(climbing, sizeof(climbing), "%s", ret_path);
    if (watch_up(inotify, climbing)) return inotify;
    // ENOENT: no cgroups are mounted here, and none change.
    if (errno != ENOENT) control::record_error(MPOL_CTL_ERROR_WATCH, errno, kWatches);
    sys::close(inotify);
    return -1;
}

void ring() {
    control::add(local.header.epoch, uint32_t{1});
    sys::futex_wake(&local.header.epoch, INT32_MAX);
}

// Whether a batch of events may have changed what the process is allowed.
bool concerns(const char* buffer, ssize_t size) {
    for (ssize_t at = 0; at < size;) {
        inotify_event event;
        std::memcpy(&event, buffer + at, sizeof(event));
        const char* const name = buffer + at + sizeof(event);
        if ((event.mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_Q_OVERFLOW)) != 0) {
            return true;
        }
        if ((event.mask & IN_MODIFY) != 0 && event.len > 0 &&
            (std::strncmp(name, "cpuset.", 7) == 0 || std::strncmp(name, "cgroup.", 7) == 0 ||
             std::strcmp(name, "tasks") == 0)) {
            return true;
        }
        at += static_cast<ssize_t>(sizeof(event) + event.len);
    }
    return false;
}

// Until the process is in another cgroup, or the thread has to leave.
void watch_one(int inotify, const char* path) {
    alignas(inotify_event) char buffer[4096];
    char now[PATH_MAX];
    while (state.load(std::memory_order_acquire) == State::kRunning) {
        const ssize_t size = ::read(inotify, buffer, sizeof(buffer));
        if (size < 0 && errno != EINTR) return;
        if (!concerns(buffer, size)) continue;
        ring();
        if (!find_cgroup(now, sizeof(now)) || std::strcmp(now, path) != 0) return;
    }
}

void* watch(void*) {
    heap::this_task.in_slow_path = true;  // Its own allocator calls concern nobody.
    ::prctl(PR_SET_NAME, "mpol-cpuset");
    char path[PATH_MAX];
    // Linux 5.9; without a table of its own the thread would share the program's numbers.
    if (::syscall(SYS_close_range, 0U, ~0U, CLOSE_RANGE_UNSHARE) == 0) {
        while (state.load(std::memory_order_acquire) == State::kRunning) {
            const int inotify = watch_current(path, sizeof(path));
            if (inotify < 0) break;
            // What changed before there was a watch has woken nobody.
            if (heap::allowed_have_changed()) ring();
            watch_one(inotify, path);
            sys::close(inotify);
        }
    } else {
        control::record_error(MPOL_CTL_ERROR_WATCH, errno, kOwnDescriptors);
    }
    return nullptr;
}

}  // namespace

bool cpuset_watch_is_due() {
    return state.load(std::memory_order_relaxed) == State::kNone && heap::any_binding();
}

void start_cpuset_watch() {
    State none = State::kNone;
    if (!state.compare_exchange_strong(none, State::kRunning, std::memory_order_acq_rel)) return;
    if (const int err = create_own_thread(OwnThread::kCpusetWatch, watch); err != 0) {
        control::record_error(MPOL_CTL_ERROR_HELPER, err, 1);
    }
}

void stop_cpuset_watch() {
    State running = State::kRunning;
    if (!state.compare_exchange_strong(running, State::kLeaving, std::memory_order_acq_rel)) return;
    if (!wake_path_set.load(std::memory_order_acquire)) return;
    char ignored;
    sys::read_file(wake_path, &ignored, sizeof(ignored));
}

void forget_cpuset_watch() {
    state.store(State::kNone, std::memory_order_release);
}

}  // namespace mpol::preload

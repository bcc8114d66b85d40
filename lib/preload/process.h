// SPDX-License-Identifier: Apache-2.0
// What the preloaded library knows of the process as a whole.
#pragma once

#include "heap/task.h"

namespace mpol::preload {

// Publishes the segment unless that was done for this process image already. Any thread.
void ensure_published();

// --- The helper thread (helper.cc): sleeps on the segment's epoch and applies what is published.

// Starts it unless it runs, was turned off (MPOL_HELPER=0) or can't be started yet.
void start_helper();
[[nodiscard]] bool helper_runs();
// start_helper would start it.
[[nodiscard]] bool helper_is_missing();
// There is something to do for it, now or within kSweepNs. Wakes it if it rests without limit, and only
// then. errno is preserved.
void call_helper();
// The program's last thread is leaving: so must the helper, or the process would never end.
void stop_helper();
// In a forked child.
void forget_helper();

// --- The cpuset watch (cpuset_watch.cc): a thread that sleeps on the cgroup's files.

// A policy is in force, and nobody has started it.
[[nodiscard]] bool cpuset_watch_is_due();
// Starts it unless that was done. From the helper: other threads may hold the C library's locks.
void start_cpuset_watch();
void stop_cpuset_watch();
// In a forked child.
void forget_cpuset_watch();

// --- Nudging blocked threads by a signal, opt-in (nudge.cc)

// Reads MPOL_SIGNAL. From the constructor.
void set_up_nudge();
// Sends the signal to every thread whose kernel task policy lags behind. From the helper.
void nudge_threads();

// --- Threads (threads.cc)

// A detached thread of ours: small stack, all signals blocked, named, without a slot; the first of each
// since the process was made costs no mapping. One at a time of each is started. 0 or an errno.
enum class OwnThread : uint8_t { kHelper, kCpusetWatch };
inline constexpr unsigned kOwnThreads = 2;
int create_own_thread(OwnThread which, void* (*body)(void*));


// The calling thread, not seen before, takes part from now on.
void adopt_thread();
// In a forked child: one thread is left, which takes part again at its next allocator call and then
// has what the forking thread had.
void forget_threads(const heap::Inheritance& of_survivor);
// Looks up the functions that this library stands in front of. From the constructor.
void resolve_threads();

// --- Mappings (mmap.cc)

// Looks up the mmap, munmap and mremap behind ours. From the constructor.
void resolve_mmap();

// --- Hello (hello.cc)

// Once the segment is published. Never blocks; errno is preserved.
void say_hello();

// --- Fork (fork.cc)

// In a process image that is a copy: nothing of the parent's segment is written from now on.
void become_child();

}  // namespace mpol::preload

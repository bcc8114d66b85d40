// SPDX-License-Identifier: Apache-2.0
// The helper thread's nice value. It works for microseconds at a time, with locks of jemalloc's in hand,
// and a thread that wants one of them waits for whoever gets the helper's processor meanwhile. In a
// session or cgroup that is busy on other processors that is anybody: what such a group may have of this
// processor goes by what it does there (kernel/sched/fair.c, calc_group_shares). So the helper has
// the lowest nice value where it may (CAP_SYS_NICE, RLIMIT_NICE; not under a seccomp filter), but for
// what can take long, which the program's threads would wait for in their turn.
#pragma once

namespace mpol::heap {

// The calling thread is the helper, and hurries from now on. What it is allowed then counts for all
// of its time.
void hurry();
// Whether the calling thread does.
[[nodiscard]] bool hurries();

// For the length of a block: a thread that hurries has the nice value that it had before, as a thread has
// that it creates here. errno is preserved.
class Unhurried {
  public:
    explicit Unhurried(bool wanted = true);
    ~Unhurried();
    Unhurried(const Unhurried&) = delete;
    Unhurried& operator=(const Unhurried&) = delete;

  private:
    const bool changed_;
};

}  // namespace mpol::heap

// SPDX-License-Identifier: Apache-2.0
// Process events from the kernel, through libbpf. Needs CAP_BPF and CAP_PERFMON to open, and
// nothing afterwards; the initial pid namespace, because the pids told are its.
//
// Not thread-safe. One Handler call an event, in the order in which the kernel recorded them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "control/attach.h"

namespace mpol::daemon {

enum class ProcessEventKind : uint8_t { kFork, kExec, kExit, kRename, kMove };

struct ProcessEvent {
    ProcessEventKind kind{};
    pid_t pid = 0;
    pid_t tid = 0;
    pid_t parent = 0;      // of kFork
    uint64_t time_ns = 0;  // CLOCK_MONOTONIC
    std::string comm;      // bytes as the program gave them: escape before printing
};

inline const std::set<ProcessEventKind> kAllKinds = {
    ProcessEventKind::kFork, ProcessEventKind::kExec, ProcessEventKind::kExit,
    ProcessEventKind::kRename, ProcessEventKind::kMove};

// Which events are wanted. Those that are not are never recorded.
struct Wish {
    std::set<ProcessEventKind> kinds = kAllKinds;
    // Those for which fd() becomes readable; the others come along with them.
    std::set<ProcessEventKind> urgent = kAllKinds;
    // Of those who are followed only; of a fork, whose parent is. All the same every kExec.
    bool followed_only = false;
};

class ProcessEvents {
  public:
    using Handler = std::function<void(const ProcessEvent&)>;

    // Failure: EPERM without the capabilities, ENOSYS on a kernel without BTF or BPF, EINVAL in
    // another pid namespace.
    [[nodiscard]] static control::Result<ProcessEvents> open(Handler handler,
                                                             const Wish& wish = {});

    ProcessEvents(ProcessEvents&&) noexcept;
    ProcessEvents& operator=(ProcessEvents&&) noexcept;
    ~ProcessEvents();

    // Readable (epoll) when dispatch has something to do.
    [[nodiscard]] int fd() const;
    // Hands over what has come. Returns the number of events.
    int dispatch();
    // No system call. A pid that no kernel gives out is nobody's.
    void follow(pid_t pid, bool followed);
    // Events that found the ring full, ever.
    [[nodiscard]] uint64_t lost() const;

  private:
    struct Loaded;
    explicit ProcessEvents(std::unique_ptr<Loaded> loaded);
    std::unique_ptr<Loaded> loaded_;
};

}  // namespace mpol::daemon

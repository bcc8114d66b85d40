// SPDX-License-Identifier: Apache-2.0
// Tells the daemon that the machine is another one: memory, nodes and CPUs that came or went,
// system weights that somebody wrote, cpusets of processes. Sleeps until the kernel or a writer
// wakes it; one call for a burst of events, at most kSettleMs and a few milliseconds after the
// burst's first.
//
// Not thread-safe: all of it on the loop's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "control/attach.h"
#include "daemon/event_loop.h"
#include "daemon/rules/topology.h"

namespace mpol::daemon {

// Long enough for the memory blocks of a small module, which follow each other within milliseconds;
// short enough that policies follow within a tenth of a second.
inline constexpr uint64_t kSettleMs = 50;

struct MachineChange {
    bool topology = false;  // MachineWatch::topology() has another value than at the last call
    NodeMask memory_came;   // nodes that have memory since
    NodeMask memory_gone;
    bool cpus = false;  // some came or went: what is near to a process may be something else
    std::set<pid_t> processes;  // followed ones whose cpuset may be another

    [[nodiscard]] bool anything() const { return topology || cpus || !processes.empty(); }
};

// "node 4 has no memory any more, CPUs came or went"; of processes their number. For the log.
[[nodiscard]] std::string words_of(const MachineChange& change);

class MachineWatch {
  public:
    using Handler = std::function<void(const MachineChange&)>;

    // loop must outlive it. What can't be heard is in deaf_to(). Failure: the loop's errno.
    [[nodiscard]] static control::Result<MachineWatch> start(sd_event* loop, Handler handler);

    MachineWatch(MachineWatch&&) noexcept;
    MachineWatch& operator=(MachineWatch&&) noexcept;
    ~MachineWatch();

    // As it was read at the last change.
    [[nodiscard]] const rules::Topology& topology() const;
    // One sentence for each kind of event that this machine, or whoever runs the daemon, does not
    // have; may be empty.
    [[nodiscard]] const std::string& deaf_to() const;

    // From now on, changes of this process's cpuset are told. Call it again when it may have moved
    // to another cgroup. False: its cgroup can't be watched.
    bool follow(pid_t pid);
    void forget(pid_t pid);

  private:
    struct Ears;
    explicit MachineWatch(std::unique_ptr<Ears> ears);
    std::unique_ptr<Ears> ears_;
};

}  // namespace mpol::daemon

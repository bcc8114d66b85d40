// SPDX-License-Identifier: Apache-2.0
// Programs under the preloaded library whose policy is changed while they run: our own, for the
// timeline of a rewrite, and the user's, under a sweep.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "control/attach.h"
#include "numa/statistics.h"
#include "numa/topology.h"
#include "policy/policy.h"

namespace mpol::bench {

// A program that was started under the library; killed at the end.
class Program {
  public:
    // quiet: its standard output is thrown away. Failure: errno of starting it.
    [[nodiscard]] static control::Result<Program> start(const std::vector<std::string>& command,
                                                        const std::string& library, bool quiet);
    Program(Program&& other) noexcept;
    Program& operator=(Program&&) = delete;
    Program(const Program&) = delete;
    ~Program();

    [[nodiscard]] pid_t pid() const { return pid_; }
    // Its control segment, once it is there. Failure: it ended, or has none within timeout_ms.
    [[nodiscard]] control::Result<control::Target> attach(int timeout_ms) const;
    // False while it runs, or after timeout_ms.
    [[nodiscard]] bool wait_end(int timeout_ms);
    // wait(2)'s word; after wait_end.
    [[nodiscard]] int status() const { return status_; }

  private:
    Program() = default;
    pid_t pid_ = -1;
    int pidfd_ = -1;
    int status_ = 0;
    bool ended_ = false;
};

// --- The timeline of a live rewrite.

// What renews its memory all the while; never returns.
[[noreturn]] void run_renewing();

struct Change {
    std::string name;
    std::optional<Policy> policy;  // empty: unset
    bool migrate = false;          // the pages that exist, too
};

struct LiveTimeline {
    std::vector<unsigned> nodes;
    std::vector<double> seconds;
    std::vector<std::vector<double>> mib;  // by second, then node
    std::vector<std::pair<double, std::string>> changes;
    std::vector<double> latency_us;  // of each change, from publishing to in force
};

// changes: each for slot_ns. subject: a command that runs run_renewing().
[[nodiscard]] control::Result<LiveTimeline> watch_changes(const std::vector<std::string>& subject,
                                                          const std::string& library,
                                                          const std::vector<Change>& changes,
                                                          const Topology& topology,
                                                          uint64_t slot_ns);

// What shows all that there is to show on this machine.
[[nodiscard]] std::vector<Change> changes_to_show(const Topology& topology);

}  // namespace mpol::bench

// SPDX-License-Identifier: Apache-2.0
// What the daemon can be asked, whoever asks and by whatever wire: implemented by mpold, called by
// the API's server. Values only; who may ask what is decided by the caller of these (access.h).
//
// Not thread-safe: called from the daemon's event loop. No call blocks or waits for a target.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "control/attach.h"

namespace mpol::daemon {

// Where a rule is written.
struct RuleName {
    std::string name;
    std::string file;
    unsigned line = 0;
};

struct DaemonStatus {
    std::string version;
    pid_t pid = 0;
    bool user = false;             // a user's own daemon
    std::string events;            // how it learns of processes: "bpf", "hello"
    std::string events_note;       // why not by better means; may be empty
    std::string rules_from;        // folder
    uint64_t rules = 0;            // in force
    uint64_t rules_loaded_ns = 0;  // CLOCK_REALTIME
    std::string rules_error;       // of the last reload, which changed nothing; empty: none
    uint64_t attached = 0;         // processes
    uint64_t left_out = 0;         // processes that found no descriptor left
    uint64_t descriptors = 0;      // that the daemon may have
    uint64_t log_first = 0;        // sequences of the log's oldest and newest entry; 0: it is empty
    uint64_t log_last = 0;
    uint64_t journal_lost = 0;  // entries that the system's journal did not take
};

// A process under control that the daemon knows. Names are bytes: escape before printing.
struct AttachedProcess {
    pid_t pid = 0;
    std::string comm;
    uid_t uid = 0;                 // its owner as /proc has it: root's when it is not dumpable
    std::optional<RuleName> rule;  // in force; empty: none matches
    std::string policy;            // that the rule gave it, as text; empty: none
    std::string note;  // "degraded: no node of tier:2 is there", "undone by root"; or empty
};

// The audit log's entries.
struct LogEntry {
    uint64_t sequence = 0;  // from 1; of one daemon's life
    uint64_t time_ns = 0;   // CLOCK_REALTIME
    std::string event;      // "apply", "undo", "degrade", "reload", "machine", …
    pid_t pid = 0;          // 0: of no process
    pid_t tid = 0;          // 0: the whole process
    std::string comm;
    uid_t uid = 0;     // the process's owner; root's for what is of no process
    std::string from;  // policies as text; empty: none
    std::string to;
    std::string why;
    std::optional<RuleName> rule;
    std::string by;                        // "rule", or who asked: "root (pid 4242)"
    std::optional<uint64_t> latency_us{};  // until in force; empty: not known (yet)
};

// What the daemon did to one process and why.
struct Account {
    AttachedProcess process;
    std::vector<LogEntry> history;  // oldest first; what the log still has of it
};

struct Undone {
    pid_t pid = 0;
    pid_t tid = 0;  // 0: the whole process
    std::string comm;
    bool done = false;   // false: left alone
    std::string policy;  // that it has now, as text; empty: the one that it was started with
    std::string why;     // when left alone: "set by hand since"
};

// What putting a process under its rule came to, a scope each.
struct Applied {
    pid_t pid = 0;
    pid_t tid = 0;  // 0: the whole process
    std::string comm;
    std::optional<RuleName> rule;  // empty: none matches, and what one had given was given back
    bool done = false;             // false: not as the rule says
    std::string from;              // policies as text; empty: none
    std::string to;
    std::string why;  // when not done: "degraded: …", "set by somebody else since"
    // Published for the scope, and in force when its process tells so; 0: nothing was.
    uint64_t generation = 0;
};

// Who asks. Data of the kernel's, taken when the connection was made.
struct Caller {
    pid_t pid = 0;
    uid_t uid = 0;
    gid_t gid = 0;
};

class Service {
  public:
    virtual ~Service() = default;

    [[nodiscard]] virtual DaemonStatus status() const = 0;

    // Ascending by pid, at most count of them, those above pid `above`.
    [[nodiscard]] virtual std::vector<AttachedProcess> processes(pid_t above,
                                                                 size_t count) const = 0;
    // Failure: ESRCH, it is not attached.
    [[nodiscard]] virtual control::Result<AttachedProcess> process(pid_t pid) const = 0;
    [[nodiscard]] virtual control::Result<Account> explain(pid_t pid) const = 0;

    // Gives the process back what it had before the daemon first touched it. One answer for each of
    // its scopes that the daemon ever touched; none is no failure. Failure: ESRCH, it is not
    // attached; EBUSY, another writer is at it.
    [[nodiscard]] virtual control::Result<std::vector<Undone>> undo(pid_t pid,
                                                                    const Caller& caller) = 0;

    // Puts the process under its rule now, also when it was undone before. What changed, and what
    // could not be done; empty: all is as the rules say. Does not wait until programs have taken it
    // up: who asked can, by the generations. Failure: as undo.
    [[nodiscard]] virtual control::Result<std::vector<Applied>> apply(pid_t pid,
                                                                      const Caller& caller) = 0;

    // Reads the rules again. The number in force, or what is wrong with the files: nothing changed
    // then.
    [[nodiscard]] virtual control::Result<uint64_t> reload(const Caller& caller) = 0;

    // Entries from sequence `first` on, at most count, oldest first. Those that the log no longer
    // has are left out: a gap before the first sequence tells how many.
    [[nodiscard]] virtual std::vector<LogEntry> log(uint64_t first, size_t count) const = 0;

    // Called after each new entry, from inside whatever made it: do no more than note it.
    virtual void on_log(std::function<void()> listener) = 0;
};

}  // namespace mpol::daemon

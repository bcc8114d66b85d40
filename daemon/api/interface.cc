// SPDX-License-Identifier: Apache-2.0
// The API in varlink's interface definition language, https://varlink.org/Interface-Definition
#include "daemon/api/interface.h"

namespace mpol::daemon {
namespace {

constexpr std::string_view kDescription =
    R"(# mpold: the daemon that gives processes the NUMA memory policies that rules say.
# Root may ask everything; others read and undo what it did to their own processes.
interface io.mpol.Daemon

# Where a rule is written.
type RuleName (name: string, file: string, line: int)

# events: how the daemon learns of processes, and why not by better means.
# left_out: processes under control that are not kept, because the daemon's descriptors don't suffice.
# log_first, log_last: sequences of the log's oldest and newest entry; 0: it is empty.
# journal_lost: entries that the system's journal, which did not read, did not take.
type DaemonStatus (
    version: string,
    pid: int,
    user: bool,
    events: string,
    events_note: string,
    rules_from: string,
    rules: int,
    rules_loaded_ns: int,
    rules_error: string,
    attached: int,
    left_out: int,
    descriptors: int,
    log_first: int,
    log_last: int,
    journal_lost: int
)

# A process under control. policy: what its rule gave it; empty: nothing.
type AttachedProcess (
    pid: int,
    comm: string,
    uid: int,
    rule: ?RuleName,
    policy: string,
    note: string
)

# pid 0: of no process; tid 0: the whole process. latency_us: until in force; null: not known (yet).
type LogEntry (
    sequence: int,
    time_ns: int,
    event: string,
    pid: int,
    tid: int,
    comm: string,
    uid: int,
    from: string,
    to: string,
    why: string,
    rule: ?RuleName,
    by: string,
    latency_us: ?int
)

type Account (process: AttachedProcess, history: []LogEntry)

# One scope given back, or left alone and why.
type Undone (
    pid: int,
    tid: int,
    comm: string,
    done: bool,
    policy: string,
    why: string
)

# One scope put under its rule, or not and why. generation: what was published for it, which is in force
# when its control segment tells so; 0: nothing was.
type Applied (
    pid: int,
    tid: int,
    comm: string,
    rule: ?RuleName,
    done: bool,
    from: string,
    to: string,
    why: string,
    generation: int
)

method Status() -> (status: DaemonStatus)

# The processes that the caller may know of. Needs "more": a page in each reply.
method List() -> (processes: []AttachedProcess)

method Explain(pid: int) -> (account: Account)

# Gives processes back what they had before the daemon touched them. Without a pid: all that the
# caller may undo; needs "more" then.
method Undo(pid: ?int) -> (undone: []Undone)

# Puts processes under their rules now, those that were undone, too. Told is what changed and what
# could not be done. Without a pid: all that the caller may; needs "more" then.
method Apply(pid: ?int) -> (applied: []Applied)

# Reads the rules again; returns their number.
method Reload() -> (rules: int)

# The newest count entries (all), oldest first. Needs "more" unless count is at most 64. With follow
# it goes on with those to come; an empty reply says that it waits for them. lost: entries that the
# log had to give up before they were read.
method Log(count: ?int, follow: ?bool) -> (entries: []LogEntry, lost: int)

error NotAttached (pid: int)
error TooManyClients ()
# errno by its name.
error Failed (errno: string, message: string, hint: string)
)";

constexpr std::string_view kServiceDescription =
    R"(# What every varlink service answers.
interface org.varlink.service

method GetInfo() -> (
    vendor: string,
    product: string,
    version: string,
    url: string,
    interfaces: []string
)

method GetInterfaceDescription(interface: string) -> (description: string)

error InterfaceNotFound (interface: string)
error MethodNotFound (method: string)
error MethodNotImplemented (method: string)
error InvalidParameter (parameter: string)
error PermissionDenied ()
error ExpectedMore ()
)";

}  // namespace

std::string_view interface_description(std::string_view interface) {
    if (interface == kInterface) return kDescription;
    if (interface == kServiceInterface) return kServiceDescription;
    return {};
}

}  // namespace mpol::daemon

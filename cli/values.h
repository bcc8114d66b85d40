// SPDX-License-Identifier: Apache-2.0
// What the verbs compute. Two renderers print each of them: plain.cc for people, json.cc for
// programs. Values only; thread ids are those that the caller's pid namespace knows.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "cli/checkup.h"
#include "cli/daemon_values.h"
#include "cli/error.h"
#include "cli/maps_view.h"
#include "cli/rules_values.h"
#include "control/attach.h"
#include "control/watch.h"
#include "numa/report.h"
#include "policy/policy.h"

namespace mpol::cli {

// False for modes that mean no set of nodes.
[[nodiscard]] constexpr bool has_nodes(Mode mode) {
    return mode != Mode::kDefault && mode != Mode::kLocal;
}

// A kind of memory, of the process's or of a thread's own, with a policy of its own.
struct KindView {
    control::KindState state;
    NodeMask effective;
};

struct ThreadView {
    pid_t tid = 0;
    std::string comm;  // as the kernel has it: not printable yet
    control::ThreadState state;
    NodeMask effective;  // of its own policy
    std::vector<KindView> kinds{};  // its own, that a policy was ever set for
    // Large allocations count while the thread has its own policy. nullptr: nothing there.
    [[nodiscard]] const KindView* kind(mpol_ctl_kind_id id) const {
        for (const KindView& view : kinds) {
            const bool counts = id != MPOL_CTL_KIND_LARGE || state.asked.set;
            if (view.state.kind == id && counts) return &view;
        }
        return nullptr;
    }
};

// A process under control.
struct ProcessView {
    pid_t pid = 0;
    std::string comm;
    control::ProcessState state;
    NodeMask allowed;                   // its cpuset's nodes that have memory
    std::optional<NodeMask> effective;  // of what is in force; empty: the kernel's default
    std::vector<ThreadView> threads;
    uint64_t slotless = 0;
    std::vector<KindView> kinds;  // that a policy was ever set for
    std::vector<control::RegionState> regions;
    std::vector<control::ErrorState> errors;

    struct Heap {
        uint64_t reserved_bytes = 0;
        uint64_t carved_bytes = 0;
    };
    [[nodiscard]] Heap heap() const {
        Heap sum;
        for (const control::RegionState& region : regions) {
            sum.reserved_bytes += region.size;
            sum.carved_bytes += region.carved;
        }
        return sum;
    }

    // Threads with a policy of their own.
    [[nodiscard]] size_t own_count() const {
        size_t count = 0;
        for (const ThreadView& thread : threads) count += thread.state.asked.set ? 1 : 0;
        return count;
    }

    // The policy that it follows: the one asked for, else the one that it started with.
    [[nodiscard]] std::optional<Policy> followed() const {
        return state.asked.set ? state.asked.policy : state.inherited;
    }
    [[nodiscard]] const control::Origin& followed_origin() const {
        return state.asked.set ? state.asked.origin : state.inherited_origin;
    }
};

// mpol get of a controlled process.
struct GetView {
    ProcessView process;
    bool all_threads = false;
    std::optional<pid_t> only_thread;
};

// mpol get of a process without the allocator, from numa_maps.
struct PolicyUse {
    uint64_t ranges = 0;
    std::map<unsigned, uint64_t> bytes_by_node;
};
struct NumaMaps {
    std::string task_policy;  // of the ranges that have none of their own
    std::map<std::string, PolicyUse> by_policy;
};
struct UncontrolledView {
    pid_t pid = 0;
    std::optional<pid_t> tid;
    std::string comm;
    NumaMaps maps;
};

struct Listing {
    std::vector<ProcessView> processes;
    std::vector<control::Failure> unusable;
};

// mpol migrate, once in a while as it goes and at its end.
struct Migration {
    pid_t pid = 0;
    std::optional<pid_t> tid;
    control::MigrationState state{};
    bool done = false;       // nothing more will be said of it
    int interrupted_by = 0;  // a signal's number: it was to end before its time

    [[nodiscard]] Status status() const;
    // By the time that it took so far; empty: nothing to go by.
    [[nodiscard]] std::optional<uint64_t> left_ms() const;
};

// mpol set and mpol unset.
struct Change {
    pid_t pid = 0;
    std::optional<pid_t> tid;
    bool everywhere = false;
    std::optional<control::KindName> kind;  // of that memory; empty: all of it
    std::optional<Policy> policy;           // empty: unset
    uint64_t generation = 0;
    bool waited = true;
    bool applied = false;
    uint64_t latency_ns = 0;
    int timeout_ms = 0;
    NodeMask effective;
    NodeMask allowed;
    NodeMask not_allowed;       // asked for, and the cpuset leaves them out
    NodeMask absent;            // asked for, and without memory as yet
    std::vector<pid_t> behind;  // their kernel task policy is still the old one
    std::vector<pid_t> kept;    // have a policy of their own, which stays
    bool superseded = false;    // somebody else has published since
    bool stopped = false;       // by a signal or a debugger
    bool helper = false;        // a helper thread runs
    std::optional<Migration> migration;
    std::optional<Policy> fallback;  // after unset: the policy that it started with
};

struct Meaning {
    Policy policy;
    NodeMask effective;
    NodeMask allowed;
    bool verbose = false;
};

struct Text {
    std::string text;
};

// mpol watch: a line each, and the last.
struct WatchLine {
    control::WatchedEvent event;
    pid_t tid = 0;
};
struct WatchGap {
    uint64_t lost = 0;
};
struct WatchEnd {
    enum class Why { kGone, kCount, kTimeout, kInterrupted };

    pid_t pid = 0;
    Why why = Why::kInterrupted;
    uint64_t events = 0;
    uint64_t lost = 0;
};

using Value = std::variant<GetView, UncontrolledView, Listing, Change, Meaning, MapsView, Migration,
                           RulesCheck, RulesList, Explanation, Plan, Checkup, Text, WatchLine,
                           WatchGap, WatchEnd, DaemonView, UndoReport, ApplyReport, LogLine, LogGap,
                           LogEnd, Reloaded, bench::Report>;

struct Answer {
    Status status = Status::kOk;
    Value value;
};

// Whole lines, each with its newline.
[[nodiscard]] std::string plain(const Value& value);
[[nodiscard]] std::string plain(const Error& error);
// One line.
[[nodiscard]] std::string json(const Value& value);
[[nodiscard]] std::string json(const Error& error);

}  // namespace mpol::cli

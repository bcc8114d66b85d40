// SPDX-License-Identifier: Apache-2.0
// What is known of a process when rules are matched against it. Everything comes from a process
// that may be hostile: names are bytes, not text, and are escaped where they are printed.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mpol::rules {

// Bit n: Field n.
using FieldSet = uint32_t;

struct NamedId {
    uint32_t id = 0;
    std::string name;  // empty: nobody has that number
};

struct ThreadFact {
    pid_t tid = 0;
    std::string name;
};

// An empty fact could not be read, or no rule asks for it.
struct Facts {
    pid_t pid = 0;
    std::optional<std::string> comm{};
    std::optional<std::string> exe{};
    std::optional<std::vector<std::string>> argv{};
    std::optional<NamedId> user{};                 // effective
    std::optional<std::vector<NamedId>> groups{};  // effective first, then supplementary
    std::optional<std::string> cgroup{};
    std::optional<std::vector<std::string>> units{};   // the system's, then the user's
    std::optional<std::vector<ThreadFact>> threads{};  // the program's own, not mpol's
    std::optional<std::vector<std::string>> env{};     // NAME=value
    bool env_whole = true;                             // false: cut off at a bound
    std::optional<uint64_t> resident_bytes{};
    std::optional<uint64_t> age_s{};
};

// Threads whose names are read. More than a segment has slots: those that have one need not be the
// oldest.
inline constexpr size_t kThreadsMax = 8192;

// The path of a process in the unified hierarchy, from the text of /proc/PID/cgroup. Pure.
[[nodiscard]] std::optional<std::string> unified_cgroup(std::string_view proc_cgroup);

// The units that a path of the unified hierarchy means, as systemd reads it
// (cg_path_get_unit() and cg_path_get_user_unit() of src/basic/cgroup-util.c). Pure.
[[nodiscard]] std::vector<std::string> units_of(std::string_view cgroup);

// --- From /proc (read_facts.cc).

// Reads what is in fields; the comm always. Empty: no such process.
[[nodiscard]] std::optional<Facts> read_facts(pid_t pid, FieldSet fields);

}  // namespace mpol::rules

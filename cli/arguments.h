// SPDX-License-Identifier: Apache-2.0
// A command line after parsing: plain values, no text of options left.
#pragma once

#include <string>
#include <vector>

namespace mpol::cli {

// Long enough for a busy process to reach its next allocation, short enough for a person to wait.
inline constexpr int kTimeoutMsDefault = 2000;
inline constexpr int kTimeoutMsMax = 24 * 60 * 60 * 1000;

struct Arguments {
    bool json = false;
    bool help = false;
    bool version = false;

    bool no_wait = false;
    bool process = false;
    bool keep_cached = false;
    bool all_threads = false;
    bool strict = false;
    bool verbose = false;
    bool allow_absent = false;
    bool exact = false;
    bool no_residency = false;
    bool migrate = false;
    bool background = false;
    bool cancel = false;
    bool all = false;
    bool dry_run = false;
    bool follow = false;
    bool quick = false;
    bool sweep = false;
    int timeout_ms = kTimeoutMsDefault;
    int watch_ms = -1;  // mpol watch; -1: without end
    int count = 0;      // of events; 0: without end
    int lines = -1;     // of the log; -1: all
    int seconds = -1;   // mpol bench; -1: its own choice
    int rounds = 0;     // of a sweep; 0: its own choice

    std::string target;                // PID or PID/TID
    std::string policy;                // its words, joined by blanks
    std::string kind;                  // of memory
    std::string rate;                  // "100M": bytes per second; empty: no limit
    std::string rules;                 // a file or folder; empty: the default
    std::string output;                // a folder that is to be made; empty: a name with the time
    std::string buffer;                // "128M": of each measurement; empty: its own choice
    std::string policies;              // to sweep, parted by blanks; empty: one of every mode
    std::string metric;                // a command that prints a number that grows; empty: run time
    std::vector<std::string> paths;    // of rule files
    std::string socket;                // the folder of a daemon; empty: those that run
    std::string shell;                 // what to write a completion for
    std::vector<std::string> command;  // what stands after "--"
};

}  // namespace mpol::cli

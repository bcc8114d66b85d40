// SPDX-License-Identifier: Apache-2.0
// mpold's command line.
#pragma once

#include <optional>
#include <string>

namespace mpol::daemon {

struct Options {
    bool user = false;
    bool bpf = true;     // use process events where they can be had
    std::string folder;  // of the sockets and the log
    std::string rules;   // a folder or a file
};

// Empty: nothing is left to do but to exit with ret_status (help was printed, or what is wrong).
[[nodiscard]] std::optional<Options> parse_options(int argc, char** argv, int& ret_status);

}  // namespace mpol::daemon

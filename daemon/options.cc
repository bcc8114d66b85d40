// SPDX-License-Identifier: Apache-2.0
#include "daemon/options.h"

#include <CLI/CLI.hpp>
#include <cstdio>

#include "daemon/api/socket.h"
#include "daemon/rules/load.h"

namespace mpol::daemon {
namespace {

constexpr int kUsage = 2;

// A path that is to be there when the working folder is another.
std::string absolute(const std::string& path) {
    return path.empty() || path[0] == '/' ? path : std::filesystem::absolute(path).string();
}

}  // namespace

std::optional<Options> parse_options(int argc, char** argv, int& ret_status) {
    Options options;
    bool no_bpf = false;
    CLI::App app(
        "Keeps every process under mpol's allocator in the memory policy that the rules give "
        "it. Stays in the foreground; SIGHUP reads the rules again, SIGTERM ends it, and "
        "policies stay.",
        "mpold");
    app.add_flag("--user", options.user, "of one user: his processes, by his rules");
    app.add_option("--rules", options.rules, "a folder or file of rules, not the default one");
    app.add_option("--socket", options.folder,
                   "folder of the sockets and the log, not the default one");
    app.add_flag("--no-bpf", no_bpf,
                 "rely on what the programs themselves tell, as without CAP_BPF");
    app.set_version_flag("--version", "mpold " MPOL_VERSION);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        const bool asked = error.get_exit_code() == 0;
        if (asked) {
            app.exit(error);
        } else {
            std::fprintf(stderr, "mpold: %s; try: mpold --help\n", error.what());
        }
        ret_status = asked ? 0 : kUsage;
        return std::nullopt;
    }
    options.bpf = !no_bpf && !options.user;
    if (options.folder.empty()) options.folder = options.user ? user_folder() : kSystemFolder;
    if (options.rules.empty()) {
        options.rules = options.user ? rules::user_folder() : rules::kSystemFolder;
    }
    options.folder = absolute(options.folder);
    options.rules = absolute(options.rules);
    return options;
}

}  // namespace mpol::daemon

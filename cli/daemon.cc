// SPDX-License-Identifier: Apache-2.0
#include "cli/daemon.h"

#include <unistd.h>

#include <cerrno>
#include <utility>

#include "daemon/api/socket.h"

namespace mpol::cli {
namespace {

std::vector<std::string> folders(const Arguments& arguments) {
    if (!arguments.socket.empty()) return {arguments.socket};
    if (::geteuid() == 0) return {daemon::kSystemFolder};
    return {daemon::user_folder(), daemon::kSystemFolder};
}

bool is_absent(int err) {
    return err == ENOENT || err == ECONNREFUSED || err == ENOTDIR;
}

}  // namespace

Result<std::vector<daemon::Client>> find_daemons(const Arguments& arguments) {
    std::vector<daemon::Client> found;
    for (const std::string& folder : folders(arguments)) {
        auto client = daemon::Client::connect(folder + "/" + daemon::kApiSocket);
        const bool wanted = !arguments.socket.empty();
        if (client) {
            found.push_back(std::move(*client));
        } else if (wanted || !is_absent(client.error().err)) {
            return failed(client.error());
        }
    }
    return found;
}

Result<daemon::Client> find_daemon(const Arguments& arguments) {
    auto found = find_daemons(arguments);
    if (!found) return tl::unexpected(found.error());
    if (!found->empty()) return std::move(found->front());
    return failed(ENOENT, "no daemon runs", "systemctl start mpold; or mpold --user");
}

std::optional<daemon::Account> account_of(pid_t pid, const Arguments& arguments) {
    auto found = find_daemons(arguments);
    if (!found) return std::nullopt;
    for (daemon::Client& client : *found) {
        const auto reply = client.call("io.mpol.Daemon.Explain", {{"pid", pid}});
        if (!reply) continue;
        const auto account = take_value<daemon::Account>(*reply, "account");
        if (account) return *account;
    }
    return std::nullopt;
}

}  // namespace mpol::cli

// SPDX-License-Identifier: Apache-2.0
#include "daemon/api/socket.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "control/proc.h"

namespace mpol::daemon {
namespace {

// Of linux include/uapi/asm-generic/socket.h, since 6.5; Debian 12's headers are older.
constexpr int kSoPeerPidfd = 77;

control::Failure failure_of(int err, const std::string& path, const char* step) {
    return control::fail(err, fmt::format("{} can't be {}: {}", path, step, std::strerror(err)));
}

}  // namespace

std::string user_folder() {
    const char* const runtime = std::getenv("XDG_RUNTIME_DIR");
    if (runtime != nullptr && runtime[0] == '/') return fmt::format("{}/mpol", runtime);
    return fmt::format("/run/user/{}/mpol", ::getuid());
}

control::Result<sockaddr_un> socket_address(const std::string& path) {
    sockaddr_un address{};
    if (path.size() >= sizeof(address.sun_path)) {
        return tl::unexpected(control::fail(
            ENAMETOOLONG, fmt::format("{} is longer than a socket's name may be ({} bytes)", path,
                                      sizeof(address.sun_path) - 1)));
    }
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    return address;
}

control::Result<Descriptor> listen_at(const std::string& path, mode_t mode) {
    const auto address = socket_address(path);
    if (!address) return tl::unexpected(address.error());
    Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket) return tl::unexpected(failure_of(errno, path, "made"));
    ::unlink(path.c_str());
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)) != 0) {
        return tl::unexpected(failure_of(errno, path, "bound"));
    }
    // Nobody connects before it listens, so the umask does not matter.
    if (::chmod(path.c_str(), mode) != 0 || ::listen(socket.get(), SOMAXCONN) != 0) {
        return tl::unexpected(failure_of(errno, path, "listened on"));
    }
    return socket;
}

control::Result<Descriptor> hold_folder(const std::string& folder) {
    if (::mkdir(folder.c_str(), 0755) != 0 && errno != EEXIST) {
        return tl::unexpected(failure_of(errno, folder, "made"));
    }
    Descriptor held(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!held) return tl::unexpected(failure_of(errno, folder, "opened"));
    if (::flock(held.get(), LOCK_EX | LOCK_NB) == 0) return held;
    if (errno != EWOULDBLOCK) return tl::unexpected(failure_of(errno, folder, "locked"));
    return tl::unexpected(
        control::fail(EBUSY, fmt::format("another mpold serves {}", folder), "mpol status"));
}

std::optional<Peer> Peer::of(int connection) {
    ucred credentials{};
    socklen_t size = sizeof(credentials);
    if (::getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0 ||
        size != sizeof(credentials)) {
        return std::nullopt;
    }
    Peer peer;
    peer.at_connect_ = {credentials.pid, credentials.uid, credentials.gid};
    int pidfd = -1;
    size = sizeof(pidfd);
    if (::getsockopt(connection, SOL_SOCKET, kSoPeerPidfd, &pidfd, &size) == 0) {
        peer.pidfd_ = Descriptor(pidfd);
    }
    return peer;
}

Caller Peer::now() const {
    if (!pidfd_) return at_connect_;
    const auto pid = control::process_of_pidfd(pidfd_.get());
    Caller caller = at_connect_;
    caller.pid = pid && *pid > 0 ? *pid : 0;
    return caller;
}

}  // namespace mpol::daemon

// SPDX-License-Identifier: Apache-2.0
// The daemon's folder and the API's socket in it; who is at the other end of a connection.
#pragma once

#include <sys/un.h>

#include <optional>
#include <string>

#include "control/attach.h"
#include "daemon/api/service.h"
#include "daemon/descriptor.h"

namespace mpol::daemon {

inline constexpr const char* kSystemFolder = "/run/mpol";
inline constexpr const char* kApiSocket = "io.mpol.Daemon";

// mpol in $XDG_RUNTIME_DIR, else in /run/user/UID.
[[nodiscard]] std::string user_folder();

// Failure: ENAMETOOLONG.
[[nodiscard]] control::Result<sockaddr_un> socket_address(const std::string& path);

// Holds the folder for one daemon as long as it lives, however it ends. Makes the folder if need
// be. Failure: EBUSY, another daemon has it.
[[nodiscard]] control::Result<Descriptor> hold_folder(const std::string& folder);

// A stream socket that listens there, with the longest backlog; what is there by that name is removed.
// Does not block. Failure: errno of bind(2).
[[nodiscard]] control::Result<Descriptor> listen_at(const std::string& path, mode_t mode);

// Whoever made the connection: what the kernel noted then, and not what it says. By its pidfd where
// the kernel has that (Linux 6.5), so that the pid is never another process's.
class Peer {
  public:
    // Empty: the kernel does not tell.
    [[nodiscard]] static std::optional<Peer> of(int connection);
    // pid 0: it has exited.
    [[nodiscard]] Caller now() const;
    // Empty: the kernel gives none.
    [[nodiscard]] Descriptor take_pidfd() { return std::move(pidfd_); }

  private:
    Caller at_connect_;
    Descriptor pidfd_;
};

}  // namespace mpol::daemon

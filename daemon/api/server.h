// SPDX-License-Identifier: Apache-2.0
// The API: varlink on a unix socket, on the daemon's loop. Nothing here blocks, and nothing wakes
// up by itself.
#pragma once

#include <memory>
#include <string>

#include "control/attach.h"
#include "daemon/api/service.h"
#include "daemon/event_loop.h"

namespace mpol::daemon {

// Connections at once of all users but root, and of one of them.
inline constexpr size_t kClientsMax = 128;
inline constexpr size_t kClientsOfOneMax = 16;

class Server {
  public:
    // path: of the socket, in a folder that the caller holds (hold_folder()); what is there by that
    // name, a daemon that was killed has left. mode: 0666 where credentials decide, 0600 for a
    // user's daemon. loop and service must outlive the server. Failure: errno of bind(2).
    [[nodiscard]] static control::Result<Server> listen(sd_event* loop, Service& service,
                                                        const std::string& path, mode_t mode);

    Server(Server&&) noexcept;
    Server& operator=(Server&&) noexcept;
    // Hangs up on every client and removes the socket.
    ~Server();

    [[nodiscard]] size_t clients() const;

  private:
    class Listener;
    explicit Server(std::unique_ptr<Listener> listener);
    std::unique_ptr<Listener> listener_;
};

}  // namespace mpol::daemon

// SPDX-License-Identifier: Apache-2.0
// The other half of the API: asks a daemon. Blocks; not thread-safe. A daemon is not believed
// beyond the shape of what it says.
#pragma once

#include <functional>
#include <string>

#include "control/attach.h"
#include "daemon/api/frame.h"
#include "daemon/api/json.h"
#include "daemon/api/message.h"
#include "daemon/descriptor.h"

namespace mpol::daemon {

// How long a daemon may take for a reply; its loop never blocks.
inline constexpr int kReplyMsMax = 10'000;

class Client {
  public:
    // path: of the socket. Failure: ENOENT or ECONNREFUSED, no daemon is there; EACCES.
    [[nodiscard]] static control::Result<Client> connect(const std::string& path);

    // One reply's parameters. Failure: what the daemon answered (EPERM, ESRCH not attached,
    // others), ETIMEDOUT, EPROTO, ECONNRESET it has gone.
    [[nodiscard]] control::Result<Json> call(const std::string& method,
                                             Json parameters = Json::object());

    // Every reply's parameters, until the last one or until take says false. endless: waits without
    // a bound for the next one; a signal whose handler returns ends it then (EINTR).
    using Take = std::function<bool(const Json& parameters)>;
    [[nodiscard]] control::Result<void> stream(const std::string& method, Json parameters,
                                               const Take& take, bool endless = false);

  private:
    Client(Descriptor socket, std::string path)
        : socket_(std::move(socket)), path_(std::move(path)) {}

    [[nodiscard]] control::Result<void> send(const Call& call);
    [[nodiscard]] control::Result<Reply> receive(int timeout_ms);
    [[nodiscard]] control::Failure gone(int err) const;

    Descriptor socket_;
    std::string path_;
    Frames in_{kReplyBytesMax};
};

}  // namespace mpol::daemon

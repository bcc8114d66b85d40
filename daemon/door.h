// SPDX-License-Identifier: Apache-2.0
// Where processes under the preloaded library knock (lib/preload/hello.cc): they connect, and hang
// up. Nothing that they say is read; who they are is the kernel's word.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "control/attach.h"
#include "daemon/descriptor.h"
#include "daemon/event_loop.h"

namespace mpol::daemon {

inline constexpr const char* kDoorSocket = "hello";

// The visitor's pid, and a pidfd of it where the kernel gives one with the connection (Linux 6.5).
using Welcome = std::function<void(pid_t pid, Descriptor pidfd)>;
// So many came at once that some may have found no place to wait in, and have gone.
using Crowded = std::function<void()>;

class Door {
  public:
    // path: of the socket, in a folder that the caller holds. Failure: errno of bind(2).
    [[nodiscard]] static control::Result<Door> open(sd_event* loop, const std::string& path,
                                                    mode_t mode, Welcome welcome, Crowded crowded);
    Door(Door&&) noexcept;
    Door& operator=(Door&&) noexcept;
    ~Door();

  private:
    struct Inside;
    explicit Door(std::unique_ptr<Inside> inside);
    std::unique_ptr<Inside> inside_;
};

}  // namespace mpol::daemon

// SPDX-License-Identifier: Apache-2.0
// The kernel's own words when memory, a node or a CPU comes or goes: uevents by netlink
// (NETLINK_KOBJECT_UEVENT; linux lib/kobject_uevent.c). Needs no privilege, and hears nothing in a
// network namespace that another than the initial user namespace owns.
#pragma once

#include <optional>
#include <string_view>

#include "control/attach.h"
#include "daemon/descriptor.h"

namespace mpol::daemon {

enum class Uevent : uint8_t { kMemory, kNode, kCpu };

// "offline@/devices/system/memory/memory32\0ACTION=…". Empty: it is about something else. Pure.
[[nodiscard]] std::optional<Uevent> parse_uevent(std::string_view message);

// Lets pass what is below /devices/system/ only: a machine at rest still has disks and networks
// that change. True: the socket has it.
[[nodiscard]] bool attach_uevent_filter(int socket);

class UeventSocket {
  public:
    // Failure: errno of socket(2) or bind(2).
    [[nodiscard]] static control::Result<UeventSocket> open();

    // Readable when there is something to drain.
    [[nodiscard]] int fd() const { return socket_.get(); }

    // Reads what has come from the kernel. True: CPUs came or went, or some events were lost. Of
    // memory and nodes it is enough to be woken.
    [[nodiscard]] bool drain();

  private:
    explicit UeventSocket(Descriptor socket) : socket_(std::move(socket)) {}
    Descriptor socket_;
};

}  // namespace mpol::daemon

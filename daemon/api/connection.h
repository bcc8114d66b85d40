// SPDX-License-Identifier: Apache-2.0
// One client's connection: reads a call, sends its replies, reads the next. At any time it holds
// one call and one reply at most, and it waits for the client in the loop only: whoever reads
// slowly delays nobody, and costs no more than a page.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "daemon/api/frame.h"
#include "daemon/api/methods.h"
#include "daemon/api/socket.h"
#include "daemon/event_loop.h"

namespace mpol::daemon {

class Connection {
  public:
    // Called last when the connection is over: may destroy it.
    using OnEnd = std::function<void(const Connection&)>;

    Connection(Service& service, Descriptor socket, Peer peer, OnEnd on_end);
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    // False: the loop has no room for it.
    [[nodiscard]] bool watch(sd_event* loop);
    [[nodiscard]] uid_t uid() const { return uid_; }
    // Pages that had come to an end for now may go on.
    void wake();

  private:
    static int on_event(sd_event_source* source, int fd, uint32_t events, void* opaque);

    // False: it is over.
    [[nodiscard]] bool step(uint32_t events);
    [[nodiscard]] bool read();
    [[nodiscard]] bool send();
    [[nodiscard]] bool take_call();
    void take_page();
    void reply(const Reply& reply);
    [[nodiscard]] uint32_t wanted() const;

    Service& service_;
    Descriptor socket_;
    Peer peer_;
    uid_t uid_;
    OnEnd on_end_;
    Frames in_{kCallBytesMax};
    std::string out_;  // what is left of a reply
    size_t sent_ = 0;
    Pages pages_;  // of the call that is being answered; empty: none is
    bool pages_wait_ = false;
    bool silent_ = false;  // a oneway call is being answered
    EventSource source_;   // last: it goes first
};

}  // namespace mpol::daemon

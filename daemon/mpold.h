// SPDX-License-Identifier: Apache-2.0
// The daemon: its parts, put together on one loop.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "daemon/api/server.h"
#include "daemon/desk.h"
#include "daemon/door.h"
#include "daemon/options.h"
#include "daemon/process_events.h"

namespace mpol::daemon {

class Mpold {
  public:
    // Everything but waiting. Failure: why it can't serve.
    [[nodiscard]] static control::Result<std::unique_ptr<Mpold>> start(const Options& options);
    // Until it is told to end. The exit status.
    [[nodiscard]] int run();

  private:
    Mpold(const Options& options, EventLoop loop, Descriptor folder, uint64_t descriptors);

    [[nodiscard]] control::Result<void> open();
    void open_events();
    [[nodiscard]] control::Result<void> heed_signals();
    control::Result<uint64_t> reload(const std::string& by);
    void rules_read(const std::string& error, const std::string& by);
    void hear_events();
    void machine_changed(const MachineChange& change);
    void tell_status() const;
    static int on_events(sd_event_source* source, int fd, uint32_t events, void* opaque);
    static int on_reload(sd_event_source* source, const signalfd_siginfo* info, void* opaque);

    Options options_;
    EventLoop loop_;
    Descriptor folder_;  // held: one daemon serves it
    AuditLog log_;
    RuleBook book_;
    std::optional<MachineWatch> machine_;  // before keeper_, which tells it of its processes
    Keeper keeper_;
    std::optional<ProcessEvents> events_;
    std::string events_note_;
    uint64_t events_lost_ = 0;
    EventSource events_source_;
    EventSource reload_source_;
    std::optional<Door> door_;
    std::optional<Desk> desk_;
    std::optional<Server> server_;
};

}  // namespace mpol::daemon

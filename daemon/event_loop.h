// SPDX-License-Identifier: Apache-2.0
// What everything on the daemon's loop (sd-event(3)) needs: owners for its C handles.
#pragma once

#include <systemd/sd-event.h>

#include <memory>

namespace mpol::daemon {

struct DisableSource {
    void operator()(sd_event_source* source) const { sd_event_source_disable_unref(source); }
};
// Its handler is never called again once it is gone; it may go from inside its handler.
using EventSource = std::unique_ptr<sd_event_source, DisableSource>;

struct DropLoop {
    void operator()(sd_event* loop) const { sd_event_unref(loop); }
};
using EventLoop = std::unique_ptr<sd_event, DropLoop>;

}  // namespace mpol::daemon

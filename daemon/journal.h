// SPDX-License-Identifier: Apache-2.0
// The system's journal, which may be slow, or hang: nobody here waits for it. What it does not take
// at once is kept until it does, up to a bound; what comes beyond is counted, and the journal is
// told how many when it reads again. sd_journal_sendv(3) waits while the journal's socket is full.
//
// Not thread-safe: on the daemon's loop.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "daemon/descriptor.h"
#include "daemon/event_loop.h"

namespace mpol::daemon {

// A few hundred bytes each: the burst of a reload that concerns a thousand processes.
inline constexpr size_t kJournalQueueMax = 1024;

class Journal {
  public:
    // Name and value; names as systemd.journal-fields(7) has them.
    using Fields = std::vector<std::pair<std::string, std::string>>;

    // Where there is none, all that is said is ignored.
    explicit Journal(sd_event* loop);

    void say(const Fields& fields);
    // Entries that it did not take, since the start.
    [[nodiscard]] uint64_t lost() const { return lost_; }

  private:
    enum class Sent : uint8_t { kDone, kFull, kFailed };

    static int on_room(sd_event_source* source, int fd, uint32_t events, void* opaque);
    [[nodiscard]] bool connect();
    [[nodiscard]] Sent send(const std::string& datagram);
    void send_queued();
    void tell_lost();

    sd_event* loop_;
    Descriptor socket_;
    EventSource room_;  // after socket_: it goes first
    bool there_;
    std::deque<std::string> queue_;
    uint64_t lost_ = 0;
    uint64_t lost_told_ = 0;
};

}  // namespace mpol::daemon

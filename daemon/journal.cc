// SPDX-License-Identifier: Apache-2.0
#include "daemon/journal.h"

#include <endian.h>
#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syslog.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace mpol::daemon {
namespace {

constexpr char kJournalSocket[] = "/run/systemd/journal/socket";

// As the journal's native protocol has it: a value of several lines goes by its length.
std::string datagram_of(const Journal::Fields& fields) {
    std::string text;
    for (const auto& [name, value] : fields) {
        if (value.find('\n') == std::string::npos) {
            text += name + '=' + value + '\n';
            continue;
        }
        const uint64_t length = htole64(value.size());
        text += name + '\n';
        text.append(reinterpret_cast<const char*>(&length), sizeof(length));
        text += value + '\n';
    }
    return text;
}

}  // namespace

Journal::Journal(sd_event* loop) : loop_(loop), there_(connect()) {}

// Connected, because only then it is told when there is room again.
bool Journal::connect() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, kJournalSocket, sizeof(kJournalSocket));
    room_.reset();
    socket_ = Descriptor(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sd_event_source* source = nullptr;
    if (!socket_ ||
        ::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) !=
            0 ||
        sd_event_add_io(loop_, &source, socket_.get(), EPOLLOUT, on_room, this) < 0) {
        socket_.reset();
        return false;
    }
    room_.reset(source);
    sd_event_source_set_enabled(source, SD_EVENT_OFF);
    return true;
}

// Another journal may have come in its place.
Journal::Sent Journal::send(const std::string& datagram) {
    for (const bool again : {true, false}) {
        if (!socket_ && !connect()) break;
        if (::send(socket_.get(), datagram.data(), datagram.size(), MSG_NOSIGNAL) >= 0) {
            return Sent::kDone;
        }
        if (errno == EAGAIN) return Sent::kFull;
        if (again) socket_.reset();
    }
    return Sent::kFailed;
}

void Journal::say(const Fields& fields) {
    if (!there_) return;
    std::string datagram = datagram_of(fields);
    const Sent sent = queue_.empty() ? send(datagram) : Sent::kFull;
    if (sent == Sent::kDone) return tell_lost();
    if (sent == Sent::kFailed || queue_.size() >= kJournalQueueMax) {
        ++lost_;
        return;
    }
    queue_.push_back(std::move(datagram));
    sd_event_source_set_enabled(room_.get(), SD_EVENT_ON);
}

int Journal::on_room(sd_event_source*, int, uint32_t, void* opaque) {
    static_cast<Journal*>(opaque)->send_queued();
    return 0;
}

void Journal::send_queued() {
    while (!queue_.empty()) {
        const Sent sent = send(queue_.front());
        if (sent == Sent::kFull) {
            sd_event_source_set_enabled(room_.get(), SD_EVENT_ON);
            return;
        }
        if (sent == Sent::kFailed) ++lost_;
        queue_.pop_front();
    }
    if (room_) sd_event_source_set_enabled(room_.get(), SD_EVENT_OFF);
    tell_lost();
}

void Journal::tell_lost() {
    if (lost_ == lost_told_ || !socket_) return;
    const uint64_t lost = lost_ - lost_told_;
    lost_told_ = lost_;
    say({{"MESSAGE", fmt::format("mpold: the journal did not take {} entries, which the daemon's "
                                 "log has: mpol log",
                                 lost)},
         {"PRIORITY", std::to_string(LOG_WARNING)},
         {"SYSLOG_IDENTIFIER", "mpold"},
         {"MPOL_EVENT", "journal"},
         {"MPOL_LOST", std::to_string(lost)}});
}

}  // namespace mpol::daemon

// SPDX-License-Identifier: Apache-2.0
#include "daemon/door.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <utility>

#include "daemon/api/socket.h"

namespace mpol::daemon {
namespace {

// Taken in a row before others have their turn.
constexpr unsigned kVisitorsAtOnce = 64;

// How many the kernel lets wait at the door: of what listen_at() asks for, as much as this network
// namespace grants. Where that can't be told, so few that it is rather believed crowded.
size_t backlog_max() {
    constexpr size_t kFew = 128;
    size_t granted = 0;
    std::ifstream file("/proc/sys/net/core/somaxconn");
    return file >> granted ? std::min<size_t>(granted, SOMAXCONN) : kFew;
}

}  // namespace

struct Door::Inside {
    Inside(std::string path_in, Descriptor socket_in, Welcome welcome_in, Crowded crowded_in)
        : path(std::move(path_in)),
          socket(std::move(socket_in)),
          welcome(std::move(welcome_in)),
          crowded(std::move(crowded_in)) {}
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;
    ~Inside() { ::unlink(path.c_str()); }

    // Nobody waits any more. Where the waiting room was ever full since it was empty last, all of
    // those who filled it have come in since.
    void see_empty() {
        if (in_a_row > places) crowded();
        in_a_row = 0;
    }

    static int on_knock(sd_event_source*, int fd, uint32_t, void* opaque) {
        auto* const inside = static_cast<Inside*>(opaque);
        for (unsigned taken = 0; taken < kVisitorsAtOnce; ++taken) {
            Descriptor visitor(::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC));
            if (!visitor && errno == EAGAIN) inside->see_empty();
            if (!visitor) break;
            ++inside->in_a_row;
            auto peer = Peer::of(visitor.get());
            if (!peer) continue;
            visitor.reset();
            const pid_t pid = peer->now().pid;
            // 0: it has exited, or is not of this pid namespace.
            if (pid > 0) inside->welcome(pid, peer->take_pidfd());
        }
        return 0;
    }

    std::string path;
    Descriptor socket;
    Welcome welcome;
    Crowded crowded;
    size_t places = backlog_max();
    size_t in_a_row = 0;
    EventSource source;
};

Door::Door(std::unique_ptr<Inside> inside) : inside_(std::move(inside)) {}
Door::Door(Door&&) noexcept = default;
Door& Door::operator=(Door&&) noexcept = default;
Door::~Door() = default;

control::Result<Door> Door::open(sd_event* loop, const std::string& path, mode_t mode,
                                 Welcome welcome, Crowded crowded) {
    auto socket = listen_at(path, mode);
    if (!socket) return tl::unexpected(socket.error());
    auto inside =
        std::make_unique<Inside>(path, std::move(*socket), std::move(welcome), std::move(crowded));
    sd_event_source* source = nullptr;
    const int err = sd_event_add_io(loop, &source, inside->socket.get(), EPOLLIN, Inside::on_knock,
                                    inside.get());
    if (err < 0) return tl::unexpected(control::fail(-err, path + " can't be watched"));
    inside->source.reset(source);
    return Door(std::move(inside));
}

}  // namespace mpol::daemon

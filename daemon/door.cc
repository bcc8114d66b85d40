// SPDX-License-Identifier: Apache-2.0
#include "daemon/door.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "daemon/api/socket.h"

namespace mpol::daemon {
namespace {

// Taken in a row before others have their turn.
constexpr unsigned kVisitorsAtOnce = 64;

}  // namespace

struct Door::Inside {
    Inside(std::string path_in, Descriptor socket_in, Welcome welcome_in)
        : path(std::move(path_in)), socket(std::move(socket_in)), welcome(std::move(welcome_in)) {}
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;
    ~Inside() { ::unlink(path.c_str()); }

    static int on_knock(sd_event_source*, int fd, uint32_t, void* opaque) {
        for (unsigned taken = 0; taken < kVisitorsAtOnce; ++taken) {
            Descriptor visitor(::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC));
            if (!visitor) break;
            auto peer = Peer::of(visitor.get());
            if (!peer) continue;
            visitor.reset();
            const pid_t pid = peer->now().pid;
            // 0: it has exited, or is not of this pid namespace.
            if (pid > 0) static_cast<Inside*>(opaque)->welcome(pid, peer->take_pidfd());
        }
        return 0;
    }

    std::string path;
    Descriptor socket;
    Welcome welcome;
    EventSource source;
};

Door::Door(std::unique_ptr<Inside> inside) : inside_(std::move(inside)) {}
Door::Door(Door&&) noexcept = default;
Door& Door::operator=(Door&&) noexcept = default;
Door::~Door() = default;

control::Result<Door> Door::open(sd_event* loop, const std::string& path, mode_t mode,
                                 Welcome welcome) {
    auto socket = listen_at(path, mode);
    if (!socket) return tl::unexpected(socket.error());
    auto inside = std::make_unique<Inside>(path, std::move(*socket), std::move(welcome));
    sd_event_source* source = nullptr;
    const int err = sd_event_add_io(loop, &source, inside->socket.get(), EPOLLIN, Inside::on_knock,
                                    inside.get());
    if (err < 0) return tl::unexpected(control::fail(-err, path + " can't be watched"));
    inside->source.reset(source);
    return Door(std::move(inside));
}

}  // namespace mpol::daemon

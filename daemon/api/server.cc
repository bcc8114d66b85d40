// SPDX-License-Identifier: Apache-2.0
#include "daemon/api/server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <list>
#include <utility>

#include "daemon/api/connection.h"
#include "daemon/api/interface.h"
#include "daemon/api/socket.h"

namespace mpol::daemon {
namespace {

Descriptor spare_descriptor() {
    return Descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

}  // namespace

class Server::Listener {
  public:
    Listener(Service& service, std::string path, Descriptor socket)
        : service_(service), path_(std::move(path)), socket_(std::move(socket)) {}
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;
    ~Listener() {
        service_.on_log({});
        ::unlink(path_.c_str());
    }

    [[nodiscard]] bool watch(sd_event* loop);
    [[nodiscard]] size_t clients() const { return connections_.size(); }

  private:
    static int on_connect(sd_event_source* source, int fd, uint32_t events, void* opaque);
    static int on_log(sd_event_source* source, void* opaque);

    [[nodiscard]] Descriptor accept();
    void admit(Descriptor socket);
    [[nodiscard]] bool has_room(uid_t uid) const;

    Service& service_;
    std::string path_;
    Descriptor socket_;
    // Given up for a moment when there are no more, so that a connection can be taken and closed
    // instead of waking the loop for ever.
    Descriptor spare_ = spare_descriptor();
    std::list<Connection> connections_;
    sd_event* loop_ = nullptr;
    EventSource connect_source_;
    EventSource log_source_;
};

bool Server::Listener::watch(sd_event* loop) {
    loop_ = loop;
    sd_event_source* source = nullptr;
    if (sd_event_add_io(loop, &source, socket_.get(), EPOLLIN, on_connect, this) < 0) return false;
    connect_source_.reset(source);
    if (sd_event_add_defer(loop, &source, on_log, this) < 0) return false;
    log_source_.reset(source);
    sd_event_source_set_enabled(source, SD_EVENT_OFF);
    service_.on_log([source] { sd_event_source_set_enabled(source, SD_EVENT_ONESHOT); });
    return true;
}

int Server::Listener::on_log(sd_event_source* /*source*/, void* opaque) {
    for (Connection& connection : static_cast<Listener*>(opaque)->connections_) connection.wake();
    return 0;
}

int Server::Listener::on_connect(sd_event_source* /*source*/, int /*fd*/, uint32_t /*events*/,
                                 void* opaque) {
    auto* const self = static_cast<Listener*>(opaque);
    if (Descriptor socket = self->accept()) self->admit(std::move(socket));
    return 0;
}

Descriptor Server::Listener::accept() {
    constexpr int kFlags = SOCK_NONBLOCK | SOCK_CLOEXEC;
    Descriptor accepted(::accept4(socket_.get(), nullptr, nullptr, kFlags));
    if (accepted || (errno != EMFILE && errno != ENFILE)) return accepted;
    spare_.reset();
    Descriptor(::accept4(socket_.get(), nullptr, nullptr, kFlags)).reset();
    spare_ = spare_descriptor();
    return {};
}

bool Server::Listener::has_room(uid_t uid) const {
    if (uid == 0) return true;
    const auto count = [&](auto of) {
        return static_cast<size_t>(std::count_if(connections_.begin(), connections_.end(), of));
    };
    return count([](const Connection& it) { return it.uid() != 0; }) < kClientsMax &&
           count([&](const Connection& it) { return it.uid() == uid; }) < kClientsOfOneMax;
}

void Server::Listener::admit(Descriptor socket) {
    auto peer = Peer::of(socket.get());
    if (!peer) return;
    if (!has_room(peer->now().uid)) {
        const std::string text =
            frame(Reply{Json::object(), false, std::string(kInterface) + ".TooManyClients"});
        (void)::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        return;
    }
    const auto end = [this](const Connection& ended) {
        connections_.remove_if([&](const Connection& it) { return &it == &ended; });
    };
    connections_.emplace_back(service_, std::move(socket), std::move(*peer), end);
    if (!connections_.back().watch(loop_)) connections_.pop_back();
}

Server::Server(std::unique_ptr<Listener> listener) : listener_(std::move(listener)) {}
Server::Server(Server&&) noexcept = default;
Server& Server::operator=(Server&&) noexcept = default;
Server::~Server() = default;

size_t Server::clients() const {
    return listener_->clients();
}

control::Result<Server> Server::listen(sd_event* loop, Service& service, const std::string& path,
                                       mode_t mode) {
    auto socket = listen_at(path, mode);
    if (!socket) return tl::unexpected(socket.error());
    auto listener = std::make_unique<Listener>(service, path, std::move(*socket));
    if (!listener->watch(loop))
        return tl::unexpected(control::fail(ENOMEM, path + " can't be watched"));
    return Server(std::move(listener));
}

}  // namespace mpol::daemon

// SPDX-License-Identifier: Apache-2.0
#include "daemon/api/connection.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

namespace mpol::daemon {
namespace {

bool would_block() {
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

}  // namespace

Connection::Connection(Service& service, Descriptor socket, Peer peer, OnEnd on_end)
    : service_(service),
      socket_(std::move(socket)),
      peer_(std::move(peer)),
      uid_(peer_.now().uid),
      on_end_(std::move(on_end)) {}

bool Connection::watch(sd_event* loop) {
    sd_event_source* source = nullptr;
    if (sd_event_add_io(loop, &source, socket_.get(), EPOLLIN, on_event, this) < 0) return false;
    source_.reset(source);
    return true;
}

void Connection::wake() {
    if (!pages_wait_) return;
    pages_wait_ = false;
    sd_event_source_set_io_events(source_.get(), wanted());
}

int Connection::on_event(sd_event_source* source, int /*fd*/, uint32_t events, void* opaque) {
    auto* const self = static_cast<Connection*>(opaque);
    if (self->step(events)) {
        sd_event_source_set_io_events(source, self->wanted());
        return 0;
    }
    const OnEnd on_end = std::move(self->on_end_);
    on_end(*self);
    return 0;
}

// One turn: as much as is left of one reply, or one call, or one page; then the rest of the loop.
bool Connection::step(uint32_t events) {
    // Whoever has hung up reads nothing more; what it said before is still heard.
    const bool hung_up = (events & (EPOLLHUP | EPOLLERR)) != 0;
    if (hung_up && (!out_.empty() || pages_wait_ || (pages_ && !silent_))) return false;
    if (!out_.empty()) return send();
    if (pages_) {
        take_page();
        return true;
    }
    if (in_.ready()) return take_call();
    return read();
}

uint32_t Connection::wanted() const {
    if (pages_ && pages_wait_) return 0;  // but for a hang-up, which is always told
    return !out_.empty() || pages_ || in_.ready() ? EPOLLOUT : EPOLLIN;
}

bool Connection::read() {
    char buffer[4096];
    const ssize_t size = ::recv(socket_.get(), buffer, sizeof(buffer), 0);
    if (size < 0) return would_block();
    return size > 0 && in_.feed({buffer, static_cast<size_t>(size)});
}

bool Connection::send() {
    const ssize_t size =
        ::send(socket_.get(), out_.data() + sent_, out_.size() - sent_, MSG_NOSIGNAL);
    if (size < 0) return would_block();
    sent_ += static_cast<size_t>(size);
    if (sent_ < out_.size()) return true;
    out_ = {};
    sent_ = 0;
    return true;
}

// What is no call ends the connection: there is no telling what else would be misunderstood.
bool Connection::take_call() {
    const auto text = in_.next();
    const auto call = text ? parse_call(*text) : std::nullopt;
    if (!call) return false;
    Replies replies = answer(service_, peer_.now(), *call);
    silent_ = call->oneway;
    if (const auto* const only = std::get_if<Reply>(&replies)) {
        reply(*only);
    } else {
        pages_ = std::get<Pages>(std::move(replies));
    }
    return true;
}

void Connection::take_page() {
    const std::optional<Reply> page = pages_();
    pages_wait_ = !page;
    if (!page) return;
    if (!page->continues) pages_ = nullptr;
    reply(*page);
}

void Connection::reply(const Reply& reply) {
    if (!silent_) out_ = frame(reply);
}

}  // namespace mpol::daemon

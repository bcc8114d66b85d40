// SPDX-License-Identifier: Apache-2.0
#include "daemon/api/client.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "daemon/api/interface.h"
#include "daemon/api/socket.h"

namespace mpol::daemon {
namespace {

// The number of an errno's name as this system has it; EIO for one that it has not.
int errno_of(const std::string& name) {
    constexpr int kErrnoMax = 4095;  // MAX_ERRNO of linux include/linux/err.h
    for (int err = 1; err <= kErrnoMax; ++err) {
        const char* const known = ::strerrorname_np(err);
        if (known != nullptr && name == known) return err;
    }
    return EIO;
}

std::string text_of(const Json& parameters, const char* name) {
    std::string text;
    const auto at = parameters.find(name);
    if (at != parameters.end() && !from_wire(*at, text)) text.clear();
    return text;
}

control::Failure failure_of(const Reply& reply) {
    const std::string own = std::string(kInterface) + ".";
    if (reply.error == own + "Failed") {
        return control::fail(errno_of(text_of(reply.parameters, "errno")),
                             text_of(reply.parameters, "message"),
                             text_of(reply.parameters, "hint"));
    }
    if (reply.error == own + "NotAttached") {
        return control::fail(ESRCH, "the daemon has no such process under control", "mpol ls");
    }
    if (reply.error == own + "TooManyClients") {
        return control::fail(EAGAIN, "the daemon has as many clients of this user as it takes",
                             "end another mpol, and try again");
    }
    if (reply.error == std::string(kServiceInterface) + ".PermissionDenied") {
        return control::fail(EPERM,
                             "the daemon does this for root and for the process's owner only");
    }
    return control::fail(EPROTO, fmt::format("the daemon answers {}", reply.error),
                         "mpol and mpold should be of the same version");
}

}  // namespace

control::Result<Client> Client::connect(const std::string& path) {
    const auto address = socket_address(path);
    if (!address) return tl::unexpected(address.error());
    Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (socket && ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&*address),
                            sizeof(*address)) == 0) {
        return Client(std::move(socket), path);
    }
    const int err = errno;
    const bool none = err == ENOENT || err == ECONNREFUSED;
    return tl::unexpected(control::fail(
        err,
        none ? fmt::format("no daemon at {}", path)
             : fmt::format("the daemon at {} can't be asked: {}", path, std::strerror(err)),
        none ? "systemctl start mpold; or mpold --user" : ""));
}

control::Failure Client::gone(int err) const {
    return control::fail(err,
                         fmt::format("the daemon at {} hung up: {}", path_, std::strerror(err)));
}

control::Result<void> Client::send(const Call& call) {
    const std::string text = frame(call);
    size_t sent = 0;
    while (sent < text.size()) {
        const ssize_t size =
            ::send(socket_.get(), text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
        // A daemon that has no room for this client has said so before it hung up.
        if (size < 0 && errno == EPIPE) return {};
        if (size < 0 && errno != EINTR) return tl::unexpected(gone(errno));
        if (size > 0) sent += static_cast<size_t>(size);
    }
    return {};
}

control::Result<Reply> Client::receive(int timeout_ms) {
    for (;;) {
        if (const auto text = in_.next()) {
            const auto reply = parse_reply(*text);
            if (reply) return *reply;
            return tl::unexpected(control::fail(EPROTO, "the daemon's answer is no reply"));
        }
        pollfd waiting{socket_.get(), POLLIN, 0};
        const int ready = ::poll(&waiting, 1, timeout_ms);
        if (ready == 0) {
            return tl::unexpected(control::fail(ETIMEDOUT, "the daemon does not answer"));
        }
        if (ready < 0) {
            return tl::unexpected(control::fail(errno, "waiting for the daemon was interrupted"));
        }
        char buffer[65536];
        const ssize_t size = ::recv(socket_.get(), buffer, sizeof(buffer), 0);
        if (size < 0 && errno == EINTR) continue;
        if (size <= 0) return tl::unexpected(gone(size == 0 ? ECONNRESET : errno));
        if (!in_.feed({buffer, static_cast<size_t>(size)})) {
            return tl::unexpected(control::fail(EPROTO, "the daemon's answer does not end"));
        }
    }
}

control::Result<Json> Client::call(const std::string& method, Json parameters) {
    if (auto sent = send({method, std::move(parameters)}); !sent) {
        return tl::unexpected(sent.error());
    }
    auto reply = receive(kReplyMsMax);
    if (!reply) return tl::unexpected(reply.error());
    if (!reply->error.empty()) return tl::unexpected(failure_of(*reply));
    return std::move(reply->parameters);
}

control::Result<void> Client::stream(const std::string& method, Json parameters, const Take& take,
                                     bool endless) {
    if (auto sent = send({method, std::move(parameters), true}); !sent) {
        return tl::unexpected(sent.error());
    }
    for (;;) {
        const auto reply = receive(endless ? -1 : kReplyMsMax);
        if (!reply) return tl::unexpected(reply.error());
        if (!reply->error.empty()) return tl::unexpected(failure_of(*reply));
        if (!take(reply->parameters) || !reply->continues) return {};
    }
}

}  // namespace mpol::daemon

// SPDX-License-Identifier: Apache-2.0
#include "injector.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

namespace mpol::test {
namespace {

constexpr int kNoFilterToBeHad = 123;

sock_filter load(size_t offset) {
    return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, unsigned(offset));
}
sock_filter answer(unsigned action) {
    return BPF_STMT(BPF_RET | BPF_K, action);
}
// Skips the next `skip` instructions unless equal.
sock_filter unless_equal(unsigned value, unsigned char skip) {
    return BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip);
}
size_t argument_offset(int argument) {  // Of its lower half.
    return offsetof(seccomp_data, args) + static_cast<size_t>(argument) * sizeof(uint64_t);
}

std::vector<sock_filter> filter_for(const Call& call) {
    const size_t number = offsetof(seccomp_data, nr);
    std::vector<sock_filter> program = {
        load(number),
        unless_equal(SYS_prctl, 3),
        load(argument_offset(0)),
        unless_equal(PR_GET_SECCOMP, 1),
        answer(SECCOMP_RET_ERRNO | 0),
    };
    for (const int wanted : call.numbers) {
        program.push_back(load(number));
        if (call.argument < 0) {
            program.push_back(unless_equal(static_cast<unsigned>(wanted), 1));
        } else {
            program.push_back(unless_equal(static_cast<unsigned>(wanted), 4));
            program.push_back(load(argument_offset(call.argument)));
            program.push_back(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, call.mask));
            program.push_back(unless_equal(call.value, 1));
        }
        program.push_back(answer(SECCOMP_RET_USER_NOTIF));
    }
    program.push_back(answer(SECCOMP_RET_ALLOW));
    return program;
}

int install(const std::vector<sock_filter>& filter) {
    const sock_fprog program{static_cast<unsigned short>(filter.size()),
                             const_cast<sock_filter*>(filter.data())};
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
    return static_cast<int>(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                                      SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
}

union Control {
    cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
};

msghdr message_for(iovec& one_byte, Control& control) {
    msghdr message{};
    message.msg_iov = &one_byte;
    message.msg_iovlen = 1;
    message.msg_control = &control;
    message.msg_controllen = sizeof(control);
    return message;
}

bool send_descriptor(int socket, int fd) {
    char byte = 0;
    iovec one_byte{&byte, 1};
    Control control{};
    msghdr message = message_for(one_byte, control);
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &fd, sizeof(fd));
    return ::sendmsg(socket, &message, 0) == 1;
}

int receive_descriptor(int socket) {
    char byte = 0;
    iovec one_byte{&byte, 1};
    Control control{};
    msghdr message = message_for(one_byte, control);
    int fd = -1;
    if (::recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != 1) return -1;
    if (const cmsghdr* const header = CMSG_FIRSTHDR(&message)) {
        std::memcpy(&fd, CMSG_DATA(header), sizeof(fd));
    }
    return fd;
}

}  // namespace

Injector::Injector(const Call& call, const Fault& fault, bool armed)
    : call_(call), fault_(fault), armed_(armed) {
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets_) != 0) return;
    server_ = std::thread([this] { serve(); });
}

Injector::~Injector() {
    ::shutdown(sockets_[0], SHUT_RDWR);  // Where no program was started.
    if (server_.joinable()) server_.join();
    ::close(sockets_[0]);
    ::close(sockets_[1]);
}

std::function<void()> Injector::before_exec() {
    return [socket = sockets_[1], filter = filter_for(call_)] {
        const int listener = install(filter);
        if (listener < 0 || !send_descriptor(socket, listener)) ::_exit(kNoFilterToBeHad);
    };
}

void Injector::serve() {
    const int listener = receive_descriptor(sockets_[0]);
    if (listener < 0) return;
    pollfd waiting{listener, POLLIN, 0};
    // POLLHUP: the last process under the filter has ended.
    while (::poll(&waiting, 1, -1) >= 0 && (waiting.revents & POLLIN) != 0) {
        seccomp_notif asked{};
        if (::ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &asked) != 0) continue;  // It was killed.
        const unsigned number = armed_ ? ++seen_ : 0;
        const bool fails = number > 0 && number >= fault_.first && number <= fault_.last;
        seccomp_notif_resp response{};
        response.id = asked.id;
        if (fails) {
            ++failed_;
            response.error = -fault_.err;
        } else {
            response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
        }
        (void)::ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
    }
    ::close(listener);
}

std::string why_no_injection() {
    const unsigned action = SECCOMP_RET_USER_NOTIF;
    if (::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0) return {};
    return "no seccomp user notifications: " + std::string(std::strerror(errno));
}

}  // namespace mpol::test

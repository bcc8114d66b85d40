// SPDX-License-Identifier: Apache-2.0
#include "daemon/machine/uevents.h"

#include <fmt/format.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace mpol::daemon {
namespace {

// A burst of a machine's memory blocks at once, each some 200 bytes; what does not fit is told as
// lost, and costs one reading of the machine.
constexpr int kBufferBytes = 256 * 1024;
// Of one turn of the loop; the rest stays for the next.
constexpr int kMessagesMax = 256;
constexpr unsigned kKernelGroup = 1;

// The lengths of add; move and bind; remove, change, online and unbind; offline.
constexpr unsigned kActionLengths[] = {3, 4, 6, 7};
constexpr size_t kBlock = 6;
constexpr size_t kDrop = kBlock * std::size(kActionLengths);

constexpr uint32_t word(const char (&text)[5]) {
    uint32_t value = 0;
    for (int i = 0; i < 4; ++i) value = value << 8U | static_cast<unsigned char>(text[i]);
    return value;
}

constexpr sock_filter load(uint16_t size, uint32_t offset) {
    return {static_cast<uint16_t>(BPF_LD | size | BPF_ABS), 0, 0, offset};
}
constexpr sock_filter equal(uint32_t value, size_t if_so, size_t if_not) {
    return {BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint8_t>(if_so), static_cast<uint8_t>(if_not),
            value};
}

// For each length that an action may have: is "@/devices/system/" after it?
constexpr std::array<sock_filter, kDrop + 2> make_filter() {
    std::array<sock_filter, kDrop + 2> filter{};
    size_t at = 0;
    for (const unsigned length : kActionLengths) {
        filter[at] = load(BPF_B, length);
        filter[at + 1] = equal('@', 0, 4);
        filter[at + 2] = load(BPF_W, length + 9);
        filter[at + 3] = equal(word("/sys"), 0, 2);
        filter[at + 4] = load(BPF_W, length + 13);
        filter[at + 5] = equal(word("tem/"), kDrop + 1 - (at + 5) - 1, 0);
        at += kBlock;
    }
    filter[kDrop] = {BPF_RET | BPF_K, 0, 0, 0};
    filter[kDrop + 1] = {BPF_RET | BPF_K, 0, 0, UINT32_MAX};
    return filter;
}

}  // namespace

std::optional<Uevent> parse_uevent(std::string_view message) {
    const std::string_view head = message.substr(0, message.find('\0'));
    const size_t at = head.find('@');
    if (at == std::string_view::npos) return std::nullopt;
    const std::string_view path = head.substr(at + 1);
    if (path.starts_with("/devices/system/memory/memory")) return Uevent::kMemory;
    if (path.starts_with("/devices/system/node/node")) return Uevent::kNode;
    if (path.starts_with("/devices/system/cpu/cpu")) return Uevent::kCpu;
    return std::nullopt;
}

bool attach_uevent_filter(int socket) {
    static constexpr auto kFilter = make_filter();
    const sock_fprog program{kFilter.size(), const_cast<sock_filter*>(kFilter.data())};
    return ::setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == 0;
}

control::Result<UeventSocket> UeventSocket::open() {
    const auto failed = [](const char* step) {
        return tl::unexpected(control::fail(
            errno, fmt::format("the kernel's events can't be {}: {}", step, std::strerror(errno))));
    };
    Descriptor socket(
        ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT));
    if (!socket) return failed("asked for");
    if (!attach_uevent_filter(socket.get())) return failed("chosen among");
    ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &kBufferBytes, sizeof(kBufferBytes));
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = kKernelGroup;
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
        return failed("heard");
    }
    return UeventSocket(std::move(socket));
}

bool UeventSocket::drain() {
    bool cpus = false;
    for (int i = 0; i < kMessagesMax; ++i) {
        char message[8192];  // UEVENT_BUFFER_SIZE is 2048, and the head comes before it
        sockaddr_nl from{};
        socklen_t size = sizeof(from);
        const ssize_t length = ::recvfrom(socket_.get(), message, sizeof(message), 0,
                                          reinterpret_cast<sockaddr*>(&from), &size);
        if (length < 0 && errno == ENOBUFS) {
            cpus = true;
            continue;
        }
        if (length < 0) break;
        if (from.nl_pid != 0) continue;
        cpus |= parse_uevent({message, static_cast<size_t>(length)}) == Uevent::kCpu;
    }
    return cpus;
}

}  // namespace mpol::daemon

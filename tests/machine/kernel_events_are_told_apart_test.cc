// SPDX-License-Identifier: Apache-2.0
// Which of the kernel's messages are about memory, nodes and CPUs, and which don't even wake the
// daemon.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <string>
#include <vector>

#include "daemon/machine/cgroups.h"
#include "daemon/machine/uevents.h"

namespace mpol::daemon {
namespace {

using namespace std::string_literals;

const std::vector<std::string> kOurs = {
    "offline@/devices/system/memory/memory32\0ACTION=offline\0SUBSYSTEM=memory"s,
    "online@/devices/system/memory/memory9\0ACTION=online"s,
    "add@/devices/system/node/node4\0ACTION=add"s,
    "remove@/devices/system/node/node4\0ACTION=remove"s,
    "offline@/devices/system/cpu/cpu3\0ACTION=offline"s,
};
const std::vector<std::string> kOthers = {
    "add@/devices/virtual/net/veth1\0ACTION=add\0INTERFACE=veth1"s,
    "change@/devices/pci0000:00/0000:00:01.0/block/sda"s,
    "add@/module/fuse\0ACTION=add\0DEVPATH=/module/fuse"s,
    "add@/kernel/slab/x"s,
    "add@/d"s,
    "offline/devices/system/memory/memory32"s,
};

TEST(Uevents, AreToldApartByTheirPath) {
    EXPECT_EQ(parse_uevent(kOurs[0]), Uevent::kMemory);
    EXPECT_EQ(parse_uevent(kOurs[2]), Uevent::kNode);
    EXPECT_EQ(parse_uevent(kOurs[4]), Uevent::kCpu);
    for (const std::string& other : kOthers) EXPECT_FALSE(parse_uevent(other)) << other;
    EXPECT_FALSE(parse_uevent(""));
    EXPECT_FALSE(parse_uevent("add@/x\0/devices/system/cpu/cpu1"s));
}

// The kernel runs the same filter on any socket.
TEST(Uevents, OfOthersWakeNobody) {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, ends), 0);
    const Descriptor in(ends[0]);
    const Descriptor out(ends[1]);
    ASSERT_TRUE(attach_uevent_filter(out.get()));
    const auto passes = [&](const std::string& message) {
        char buffer[4096];
        (void)::send(in.get(), message.data(), message.size(), 0);
        return ::recv(out.get(), buffer, sizeof(buffer), 0) == static_cast<ssize_t>(message.size());
    };
    for (const std::string& ours : kOurs) EXPECT_TRUE(passes(ours)) << ours;
    for (const std::string& other : kOthers) EXPECT_FALSE(passes(other)) << other;
    for (const std::string action : {"move", "bind", "change", "unbind"}) {
        EXPECT_TRUE(passes(action + "@/devices/system/node/node0")) << action;
    }
}

TEST(Cgroups, AreFoundInBothHierarchies) {
    EXPECT_EQ(cpuset_folder("0::/\n"), "/sys/fs/cgroup");
    EXPECT_EQ(cpuset_folder("0::/a.slice/b.service\n"), "/sys/fs/cgroup/a.slice/b.service");
    EXPECT_EQ(cpuset_folder("5:memory:/m\n4:cpuset:/x/y\n0::/u\n"), "/sys/fs/cgroup/cpuset/x/y");
    EXPECT_EQ(cpuset_folder("0::/u\n4:cpuset:/\n"), "/sys/fs/cgroup/cpuset");
    for (const char* none : {"", "0::/../other\n", "3:memory:/x\n", "0::\n", "0"}) {
        EXPECT_EQ(cpuset_folder(none), "") << none;
    }
}

}  // namespace
}  // namespace mpol::daemon

// SPDX-License-Identifier: Apache-2.0
#include "machine.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <thread>

#include "task/machine.h"

namespace mpol::test {
namespace {

const std::string kCgroups = "/sys/fs/cgroup";

std::string lacks(bool has, const std::string& what) {
    if (has) return {};
    if (::access("/run/vm", F_OK) == 0) throw std::runtime_error("in the virtual machine: " + what);
    return what;
}

void write_file(const std::string& path, const std::string& text) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    const bool done =
        fd >= 0 && ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    const int err = errno;
    if (fd >= 0) ::close(fd);
    if (!done)
        throw std::runtime_error("can't write " + text + " to " + path + ": " + std::strerror(err));
}

}  // namespace

std::string lacks_root() {
    return lacks(::geteuid() == 0, "not root");
}

std::string lacks_mounts() {
    const long context = ::syscall(SYS_fsopen, "tmpfs", 0);
    if (context >= 0) ::close(static_cast<int>(context));
    return lacks(context >= 0, "may not mount");
}

std::string lacks_four_nodes() {
    return lacks(NodeMask::first_nodes(4).subset_of(task::node_list("has_memory")),
                 "fewer than four memory nodes");
}

std::string lacks_cpusets() {
    std::ifstream file(kCgroups + "/cgroup.subtree_control");
    std::string controllers;
    std::getline(file, controllers);
    return lacks(
        controllers.find("cpuset") != std::string::npos && ::access(kCgroups.c_str(), W_OK) == 0,
        "no cpuset controller");
}

Cpuset::Cpuset(const std::string& mems)
    : path_(kCgroups + "/conformance-" + std::to_string(::getpid())) {
    if (::mkdir(path_.c_str(), 0755) != 0) throw std::runtime_error("can't make " + path_);
    set_mems(mems);
}

Cpuset::~Cpuset() {
    // A killed process leaves its cgroup a moment after it was waited for.
    for (int tries = 0; tries < 1000 && ::rmdir(path_.c_str()) != 0 && errno == EBUSY; ++tries) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
}

void Cpuset::set_mems(const std::string& mems) {
    write_file(path_ + "/cpuset.mems", mems);
}

void Cpuset::enter() const {
    write_file(path_ + "/cgroup.procs", "0");
}

}  // namespace mpol::test

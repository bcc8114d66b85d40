// SPDX-License-Identifier: Apache-2.0
#include "fs/task.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <optional>
#include <system_error>

#include "control/proc.h"
#include "task/machine.h"

namespace mpol::fs {
namespace {

class Descriptor {
  public:
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    [[nodiscard]] int get() const { return fd_; }

  private:
    int fd_;
};

}  // namespace

int errno_of(const control::Failure& failure) {
    switch (failure.err) {
        case EPERM:
            return EACCES;
        case ENODEV:
            return ESRCH;
        default:
            return failure.err;
    }
}

Outcome<Task> check(const Caller& caller, pid_t pid) {
    const Descriptor proc(
        ::open(fmt::format("/proc/{}", pid).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    struct stat status {};
    // Of the file, because the directory is the user's even when the process is not dumpable.
    if (::fstatat(proc.get(), "status", &status, 0) != 0) return tl::unexpected(ESRCH);
    const auto text = control::read_small_file(proc.get(), "status");
    auto credentials = text ? parse_credentials(*text) : std::nullopt;
    const auto ids = control::read_task_ids(proc.get());
    if (!credentials || !ids) return tl::unexpected(ESRCH);
    credentials->owner = status.st_uid;
    if (!may_see(caller, *credentials)) return tl::unexpected(EACCES);
    // /proc/TID is there too, for a thread that leads no process.
    if (control::process_of(pid) != pid) return tl::unexpected(ESRCH);
    return Task{status.st_uid, status.st_gid, ids->start_time};
}

Outcome<control::Target> attach(const Caller& caller, pid_t pid, control::Access access) {
    const Outcome<Task> task = check(caller, pid);
    if (!task) return tl::unexpected(task.error());
    auto target = control::Target::attach(pid, access);
    if (!target) return tl::unexpected(errno_of(target.error()));
    return std::move(*target);
}

bool has_thread(pid_t pid, pid_t tid) {
    return ::access(fmt::format("/proc/{}/task/{}", pid, tid).c_str(), F_OK) == 0;
}

std::vector<pid_t> threads_of(pid_t pid) {
    std::vector<pid_t> found;
    std::error_code err;
    std::filesystem::directory_iterator at(fmt::format("/proc/{}/task", pid), err);
    for (; !err && at != std::filesystem::directory_iterator{}; at.increment(err)) {
        const std::string name = at->path().filename();
        pid_t tid = 0;
        const auto parsed = std::from_chars(name.data(), name.data() + name.size(), tid);
        if (parsed.ec == std::errc{}) found.push_back(tid);
    }
    std::sort(found.begin(), found.end());
    return found;
}

Outcome<NodeMask> allowed_nodes(pid_t pid) {
    const auto mems = control::mems_allowed(pid);
    if (!mems) return tl::unexpected(ESRCH);
    return *mems & task::node_list("has_memory");
}

}  // namespace mpol::fs

// SPDX-License-Identifier: Apache-2.0
#include "control/attach.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstring>
#include <string_view>
#include <utility>

#include "control/proc.h"
#include "sys/fail_point.h"
#include "sys/sys.h"

namespace mpol::control {
namespace {

constexpr int kSealsNeeded = F_SEAL_SHRINK | F_SEAL_GROW;
constexpr std::string_view kLinkName = "/memfd:" MPOL_CTL_NAME;
// Of a process whose main thread has left: "." and "..", the main thread, and a few that may be
// leaving just now.
constexpr unsigned kThreadsTried = 8;

Failure not_permitted(pid_t pid) {
    return fail(EPERM, fmt::format("not permitted to open the control segment of process {}", pid),
                "run as its user or as root; a process that is not dumpable needs root");
}

// Every descriptor of the process that is a control segment: its own, or one inherited by fork.
Result<std::vector<int>> segment_descriptors(pid_t pid, int proc_fd) {
    const int dir_fd = sys::fallible_libc(sys::FailPoint::kAttachList, [&] {
        return ::openat(proc_fd, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    });
    if (dir_fd < 0) {
        if (errno == EACCES || errno == EPERM) return tl::unexpected(not_permitted(pid));
        return tl::unexpected(fail(ESRCH, fmt::format("no process {}", pid)));
    }
    std::vector<int> found;
    DIR* const dir = ::fdopendir(dir_fd);
    // Its fstat says ENOENT once the process is reaped (Linux 6.2 and later).
    if (dir == nullptr) {
        ::close(dir_fd);
        return tl::unexpected(fail(ESRCH, fmt::format("no process {}", pid)));
    }
    while (const dirent* entry = ::readdir(dir)) {
        char link[PATH_MAX];
        const ssize_t size = ::readlinkat(dir_fd, entry->d_name, link, sizeof(link));
        // The directory opens for the same user, its links only for one who may trace the process.
        if (size < 0 && (errno == EACCES || errno == EPERM)) {
            ::closedir(dir);
            return tl::unexpected(not_permitted(pid));
        }
        if (size < 0 || !std::string_view(link, static_cast<size_t>(size)).starts_with(kLinkName)) {
            continue;
        }
        int fd = 0;
        std::from_chars(entry->d_name, entry->d_name + std::strlen(entry->d_name), fd);
        found.push_back(fd);
    }
    ::closedir(dir);
    // The segment lies high; a program may hold others' segments below.
    std::sort(found.rbegin(), found.rend());
    return found;
}

// The same under the process's threads: once its main thread has left, the process's own fd
// directory is empty.
std::vector<std::string> segment_paths_of_threads(pid_t pid, int proc_fd) {
    std::vector<std::string> found;
    const int dir_fd = ::openat(proc_fd, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR* const dir = dir_fd < 0 ? nullptr : ::fdopendir(dir_fd);
    if (dir == nullptr) {
        if (dir_fd >= 0) ::close(dir_fd);
        return found;
    }
    for (unsigned tried = 0; tried < kThreadsTried && found.empty(); ++tried) {
        const dirent* const entry = ::readdir(dir);
        if (entry == nullptr) break;
        if (entry->d_name[0] == '.') continue;
        const int task_fd = ::openat(dir_fd, entry->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (task_fd < 0) continue;
        const auto descriptors = segment_descriptors(pid, task_fd);
        ::close(task_fd);
        if (!descriptors) continue;
        for (const int fd : *descriptors) {
            found.push_back(fmt::format("task/{}/fd/{}", entry->d_name, fd));
        }
    }
    ::closedir(dir);
    return found;
}

// The mapping, for a process that has closed the descriptor. Root only.
std::vector<std::string> segment_mappings(int proc_fd) {
    std::vector<std::string> found;
    const int fd = ::openat(proc_fd, "maps", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return found;
    FILE* const file = ::fdopen(fd, "r");
    char* line = nullptr;
    size_t capacity = 0;
    while (::getline(&line, &capacity, file) > 0) {
        const std::string_view text = line;
        if (text.find(kLinkName) == std::string_view::npos) continue;
        found.push_back("map_files/" + std::string(text.substr(0, text.find(' '))));
    }
    std::free(line);
    ::fclose(file);
    return found;
}

// What a mapped header says of itself; empty when it is all right.
std::string header_complaint(const mpol_ctl_header& header) {
    if (load(header.magic) != MPOL_CTL_MAGIC) return "it does not begin with the segment's magic";
    const uint32_t abi = load(header.abi);
    if (abi != MPOL_CTL_ABI) {
        return fmt::format("its ABI version is {}, and this mpol speaks {}", abi, MPOL_CTL_ABI);
    }
    if (load(header.header_size) != sizeof(mpol_ctl_header) ||
        load(header.total_size) != sizeof(mpol_ctl) || load(header.slot_count) != MPOL_CTL_SLOTS ||
        load(header.slot_size) != sizeof(mpol_ctl_slot) ||
        load(header.region_count) != MPOL_CTL_REGIONS ||
        load(header.region_size) != sizeof(mpol_ctl_region)) {
        return "its sizes are not those of its ABI version";
    }
    return {};
}

// A child of fork holds its parent's segment until it has made its own.
std::string owner_complaint(const mpol_ctl_header& header, const TaskIds& ids) {
    const auto pid = static_cast<pid_t>(load(header.pid));
    const uint64_t start = load(header.start_time);
    if (pid != ids.inner_pid || (start != 0 && start != ids.start_time)) {
        return fmt::format("it belongs to process {} started at tick {}", pid, start);
    }
    return {};
}

struct Mapped {
    int fd = -1;
    uint64_t inode = 0;
    mpol_ctl* segment = nullptr;
};

Result<Mapped> map_segment(pid_t pid, int fd, Access access, const TaskIds& ids) {
    const auto refuse = [&](const std::string& why,
                            const char* hint = "was it started with the same version of mpol?") {
        ::close(fd);
        return tl::unexpected(fail(
            EPROTO, fmt::format("the control segment of process {} is not usable: {}", pid, why),
            hint));
    };
    struct stat status {};
    if (::fstat(fd, &status) != 0 || status.st_size != sizeof(mpol_ctl)) {
        return refuse(
            fmt::format("its size is {} bytes, not {}", status.st_size, sizeof(mpol_ctl)));
    }
    const int seals = ::fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & kSealsNeeded) != kSealsNeeded) {
        return refuse("it is not sealed against shrinking and growing");
    }
    const int prot = access == Access::kWrite ? PROT_READ | PROT_WRITE : PROT_READ;
    if (const int err = sys::fail_point(sys::FailPoint::kAttachMap); err != 0) {
        return refuse(std::strerror(-err));
    }
    void* const at = ::mmap(nullptr, sizeof(mpol_ctl), prot, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) return refuse(std::strerror(errno));
    auto* const segment = static_cast<mpol_ctl*>(at);
    const std::string damage = header_complaint(segment->header);
    const std::string stranger = damage.empty() ? owner_complaint(segment->header, ids) : "";
    if (!damage.empty() || !stranger.empty()) ::munmap(at, sizeof(mpol_ctl));
    if (!damage.empty()) return refuse(damage);
    if (!stranger.empty()) {
        return refuse(stranger, "a forked process has its own from its first allocation on");
    }
    return Mapped{fd, status.st_ino, segment};
}

}  // namespace

Result<Target> Target::attach(pid_t pid, Access access) {
    Target target;
    target.pid_ = pid;
    target.proc_fd_ = sys::fallible_libc(sys::FailPoint::kAttachProcess, [&] {
        return ::open(fmt::format("/proc/{}", pid).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    });
    const std::optional<TaskIds> ids =
        target.proc_fd_ < 0 ? std::nullopt : read_task_ids(target.proc_fd_);
    if (!ids) return tl::unexpected(fail(ESRCH, fmt::format("no process {}", pid)));
    const auto descriptors = segment_descriptors(pid, target.proc_fd_);
    if (!descriptors) return tl::unexpected(descriptors.error());
    std::vector<std::string> paths;
    for (const int fd : *descriptors) paths.push_back(fmt::format("fd/{}", fd));
    if (paths.empty()) paths = segment_paths_of_threads(pid, target.proc_fd_);
    if (paths.empty()) paths = segment_mappings(target.proc_fd_);
    Failure failure =
        fail(ENODEV, fmt::format("process {} does not run under mpol's allocator", pid),
             "start it with: mpol run -- COMMAND");
    for (const std::string& path : paths) {
        const int flags = (access == Access::kWrite ? O_RDWR : O_RDONLY) | O_CLOEXEC;
        const int fd = sys::fallible_libc(sys::FailPoint::kAttachOpen, [&] {
            return ::openat(target.proc_fd_, path.c_str(), flags);
        });
        if (fd < 0) {
            if (errno == EACCES || errno == EPERM) {
                failure = not_permitted(pid);
            } else if (errno != ENOENT) {  // ENOENT: closed meanwhile.
                failure =
                    fail(errno, fmt::format("can't open the control segment of process {}: {}", pid,
                                            std::strerror(errno)));
            }
            continue;
        }
        const Result<Mapped> mapped = map_segment(pid, fd, access, *ids);
        if (mapped) {
            target.fd_ = mapped->fd;
            target.path_ = path;
            target.inode_ = mapped->inode;
            target.segment_ = mapped->segment;
            return target;
        }
        failure = mapped.error();
    }
    return tl::unexpected(failure);
}

Target::Target(Target&& other) noexcept {
    *this = std::move(other);
}

Target& Target::operator=(Target&& other) noexcept {
    std::swap(pid_, other.pid_);
    std::swap(proc_fd_, other.proc_fd_);
    std::swap(fd_, other.fd_);
    std::swap(path_, other.path_);
    std::swap(inode_, other.inode_);
    std::swap(segment_, other.segment_);
    std::swap(writer_, other.writer_);
    return *this;
}

Target::~Target() {
    if (segment_ != nullptr) ::munmap(segment_, sizeof(mpol_ctl));
    if (fd_ >= 0) ::close(fd_);
    if (proc_fd_ >= 0) ::close(proc_fd_);
}

bool Target::alive() const {
    const auto ids = read_task_ids(proc_fd_);
    return ids && !ids->exited;
}

bool Target::runs_this() const {
    struct stat ours {};
    struct stat theirs {};
    const auto current = attach(pid_, Access::kRead);
    if (current) {
        return ::fstat(fd_, &ours) == 0 && ::fstat(current->fd_, &theirs) == 0 &&
               ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev;
    }
    // A program that has closed the descriptor has its mapping still; a zombie has neither.
    return !segment_mappings(proc_fd_).empty();
}

std::vector<pid_t> attachable_processes() {
    std::vector<pid_t> found;
    for (const pid_t pid : all_processes()) {
        if (Target::attach(pid, Access::kRead)) found.push_back(pid);
    }
    return found;
}

}  // namespace mpol::control

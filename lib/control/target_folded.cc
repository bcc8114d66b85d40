// SPDX-License-Identifier: Apache-2.0
// Target: as it is kept between two uses, by who has thousands of them.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include "control/attach.h"
#include "control/target_locked.h"

namespace mpol::control {
namespace {

bool says_in_force(int fd, const ScopeName& scope, uint64_t wanted) {
    mpol_ctl_slot row{};
    if (!scope) {
        uint64_t applied = 0;
        constexpr off_t kAt = offsetof(mpol_ctl_header, process_applied);
        return ::pread(fd, &applied, sizeof(applied), kAt) == sizeof(applied) && applied >= wanted;
    }
    const off_t at = MPOL_CTL_SLOTS_OFFSET + static_cast<off_t>(scope->slot * sizeof(row));
    if (::pread(fd, &row, sizeof(row), at) != sizeof(row)) return false;
    return !is_of(row, *scope) || (row.word & kState) != kLive || row.applied >= wanted;
}

}  // namespace

void Target::fold(Folded how) {
    if (segment_ != nullptr) ::munmap(segment_, sizeof(mpol_ctl));
    segment_ = nullptr;
    if (proc_fd_ >= 0) ::close(proc_fd_);
    proc_fd_ = -1;
    if (how == Folded::kOneDescriptor || fd_ < 0) return;
    ::close(fd_);
    fd_ = -1;
}

// A memfd's seals never come off: what was checked when it was first opened holds.
Result<void> Target::open_again() {
    if (proc_fd_ < 0) {
        proc_fd_ = ::open(fmt::format("/proc/{}", pid_).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    }
    if (proc_fd_ < 0) return tl::unexpected(fail(ESRCH, fmt::format("no process {}", pid_)));
    if (fd_ >= 0) return {};
    struct stat status {};
    fd_ = ::openat(proc_fd_, path_.c_str(), O_RDWR | O_CLOEXEC);
    if (fd_ >= 0 && ::fstat(fd_, &status) == 0 && status.st_ino == inode_ &&
        status.st_size == sizeof(mpol_ctl)) {
        return {};
    }
    const int err = fd_ >= 0 ? ENODEV : errno;
    fold(Folded::kNone);
    return tl::unexpected(fail(err == ENOENT ? ENODEV : err,
                               fmt::format("process {} has its control segment elsewhere", pid_)));
}

Result<void> Target::unfold() {
    if (segment_ != nullptr) return {};
    const bool had_descriptor = fd_ >= 0;
    if (auto opened = open_again(); !opened) return opened;
    void* const at = ::mmap(nullptr, sizeof(mpol_ctl), PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
    if (at == MAP_FAILED) {
        const int err = errno;
        fold(had_descriptor ? Folded::kOneDescriptor : Folded::kNone);
        return tl::unexpected(fail(err, fmt::format("can't map the control segment of process "
                                                    "{}: {}",
                                                    pid_, std::strerror(err))));
    }
    segment_ = static_cast<mpol_ctl*>(at);
    return {};
}

bool Target::in_force(const ScopeName& scope, uint64_t wanted) {
    if (fd_ >= 0) return says_in_force(fd_, scope, wanted);
    if (!open_again()) return false;
    const bool in_force = says_in_force(fd_, scope, wanted);
    fold(Folded::kNone);
    return in_force;
}

}  // namespace mpol::control
